"""A run's files."""

import json
import math

import pytest

import logpi
from logpi.runs.directory import RunDirectory, default_path, finite, read_metrics


def test_rows_are_on_disk_when_written(tmp_path):
    directory = RunDirectory(tmp_path / "run", {"seed": 0})
    directory.row({"steps": 1, "return_mean": math.nan})
    assert read_metrics(tmp_path / "run" / "metrics.jsonl") == [{"steps": 1, "return_mean": None}]
    directory.close()


def test_a_torn_last_line_is_left_out(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2}\n{"ste')
    assert [row["steps"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]


def test_the_status_is_kept_in_the_configuration(tmp_path):
    directory = RunDirectory(tmp_path, {"rate": logpi.Linear(1e-3, 0.0)})
    directory.status("done")
    directory.close()
    assert json.loads((tmp_path / "run.json").read_text()) == {"rate": "0.001:0.0", "status": "done"}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(logpi.LogpiError, match="cannot write"):
        RunDirectory(tmp_path / "file" / "run", {})


def test_default_paths_hold_no_separator():
    assert default_path("gymnax:Cart/Pole", "ppo", 3).parts[:2] == ("runs", "gymnax-Cart-Pole")


def test_json_says_null_for_what_is_not_finite():
    assert finite({"a": [math.inf, 1.5], "b": (math.nan,)}) == {"a": [None, 1.5], "b": [None]}
