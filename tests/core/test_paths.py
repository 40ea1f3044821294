"""Paths are absolute from the start on."""

from pathlib import Path

import pytest

from logpi.core.paths import read_path
from logpi.errors import LogpiError


@pytest.mark.parametrize("given", ["here", b"here", Path("here"), "./here"])
def test_a_path_of_any_kind_is_made_absolute(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_path("out", given) == tmp_path / "here"


@pytest.mark.parametrize(("given", "said"), [("", "out is empty"), (" ", "out is empty"), (3, "out is 3")])
def test_what_is_no_path(given, said):
    with pytest.raises(LogpiError, match=said):
        read_path("out", given)


def test_a_current_directory_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(LogpiError, match="there is no current directory"):
        read_path("out", "here")
