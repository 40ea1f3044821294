"""A disk that is full for as long as a test says so."""

import errno
import os

import pytest


class Disk:
    """Stand-in for the disk: while it is full, no byte is written, and no directory made."""

    def __init__(self, monkeypatch):
        self._patch, self._whole = monkeypatch, (os.open, os.write, os.mkdir)
        self.refused = 0

    def fill(self, number=errno.ENOSPC):
        opened, written, _ = self._whole

        def refuse(*_, **__):
            self.refused += 1
            raise OSError(number, os.strerror(number))

        def open_to_read(path, flags, *given, **named):
            return refuse() if flags & os.O_CREAT else opened(path, flags, *given, **named)

        def write_elsewhere(descriptor, data):
            return written(descriptor, data) if descriptor <= 2 else refuse()

        for name, replacement in (("open", open_to_read), ("write", write_elsewhere), ("mkdir", refuse)):
            self._patch.setattr(os, name, replacement)

    def free(self):
        for name, whole in zip(("open", "write", "mkdir"), self._whole, strict=True):
            self._patch.setattr(os, name, whole)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)
