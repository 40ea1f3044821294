"""Standard error that nobody reads neither holds up nor ends the training."""

import os
import time

import pytest

from logpi.training.console_stream import ConsoleStream


def test_a_pipe_that_nobody_reads_is_waited_for_once(monkeypatch):
    monkeypatch.setattr("logpi.training.console_stream.PATIENCE", 0.1)
    reading, writing = os.pipe()
    with open(reading, "rb") as reader, open(writing, "w") as pipe:
        stream, started = ConsoleStream(pipe), time.monotonic()
        for _ in range(2000):
            stream.write("x" * 1000 + "\n")
        assert time.monotonic() - started < 5
        while len(os.read(reader.fileno(), 2**16)) == 2**16:
            pass
        stream.write("again\n")  # it is read again: nothing is dropped
        os.set_blocking(reader.fileno(), False)
        assert os.read(reader.fileno(), 2**20).endswith(b"again\n")


@pytest.mark.parametrize("name", ["/dev/full", "closed", "broken"])
def test_a_stream_that_takes_nothing_is_no_error(name):
    reading, writing = os.pipe()
    os.close(reading)
    with open(os.dup(writing) if name == "broken" else "/dev/full" if name == "/dev/full" else os.devnull, "w") as file:
        if name == "closed":
            file.close()
        stream = ConsoleStream(file)
        assert stream.write("a line\n") == 7 and not stream.isatty()
    os.close(writing)


def test_no_stream_at_all(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert ConsoleStream().write("a line\n") == 7
