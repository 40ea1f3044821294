"""A run's files: on disk when written, whole or not there, never the end of a training."""

import json
import math
import os

import pytest

import logpi
from logpi.runs.directory import RunDirectory, default_path, new_run_directory
from logpi.runs.files import finite, read_json, read_metrics, write_json


@pytest.fixture
def heard():
    return []


@pytest.fixture
def directory(tmp_path, heard):
    made = RunDirectory(tmp_path, {"rate": logpi.LinearSchedule(1e-3, 0.0)}, heard.append)
    yield made
    made.close()


def test_rows_are_on_disk_when_written(directory):
    directory.row({"steps": 1, "return_mean": math.nan})
    assert read_metrics(directory.path / "metrics.jsonl") == [{"steps": 1, "return_mean": None}]


def test_a_torn_last_line_is_left_out(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2}\n{"ste')
    assert [row["steps"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]


def test_rows_beyond_those_to_keep_are_cut_off(tmp_path, heard):
    (tmp_path / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2}\n{"ste')
    directory = RunDirectory(tmp_path, {}, heard.append, kept=len('{"steps": 1}\n'))
    directory.row({"steps": 3})
    assert directory.settle() == (tmp_path / "metrics.jsonl").stat().st_size
    directory.close()
    assert [row["steps"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 3]


def test_the_status_is_kept_in_the_configuration(directory):
    directory.status("done")
    said = read_json(directory.path / "run.json")
    assert said["rate"] == "0.001:0.0" and said["status"] == "done" and said["process"]["pid"] == os.getpid()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(logpi.LogpiError, match="cannot write"), new_run_directory(tmp_path / "file" / "run"):
        pass


def test_metrics_that_cannot_be_written_are_said_once_counted_and_survived(tmp_path, heard, disk):
    directory = RunDirectory(tmp_path, {}, heard.append)
    disk.fill()
    directory.row({"steps": 1})
    directory.row({"steps": 2})
    disk.free()
    directory.row({"steps": 3})
    assert len(heard) == 1 and "cannot write metrics.jsonl" in heard[0] and "No space left" in heard[0]
    directory.close()
    assert directory.failures == 2 and heard[1].startswith("2 writes")
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"steps": 3}]


def test_a_run_is_not_begun_where_its_configuration_cannot_be_written(tmp_path, heard, disk):
    disk.fill()
    with pytest.raises(logpi.LogpiError, match=r"cannot write to .*: No space left on device"):
        RunDirectory(tmp_path, {}, heard.append)
    assert not list(tmp_path.glob("run.json*"))


def test_a_file_with_other_names_is_copied_before_it_is_cut(tmp_path, heard):
    (tmp_path / "copy").write_text('{"steps": 1}\n{"steps": 2}\n')
    os.link(tmp_path / "copy", tmp_path / "metrics.jsonl")
    directory = RunDirectory(tmp_path, {}, heard.append, kept=13)
    directory.row({"steps": 3})
    directory.close()
    assert (tmp_path / "copy").read_text() == '{"steps": 1}\n{"steps": 2}\n'
    assert [row["steps"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 3]


@pytest.mark.parametrize("kept", [20, 10**30])
def test_rows_that_are_kept_end_with_a_whole_one_and_lost_ones_are_said(tmp_path, heard, kept):
    (tmp_path / "metrics.jsonl").write_text('{"steps": 1}\n{"steps": 2}')
    directory = RunDirectory(tmp_path, {}, heard.append, kept=kept)
    directory.row({"steps": 3})
    directory.close()
    assert [row["steps"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 3]
    assert len(heard) == 1 and "has lost" in heard[0]


REMAINS = {
    "checkpoints": lambda path: (path / "checkpoints" / "iteration-000000007").mkdir(parents=True),
    "metrics.jsonl": lambda path: (path / "metrics.jsonl").write_text('{"steps": 1}\n'),
    "summary.json": lambda path: (path / "summary.json").write_text("{}"),
}


@pytest.mark.parametrize("what", REMAINS)
def test_what_is_left_of_a_run_without_its_configuration_is_not_overwritten(tmp_path, what):
    REMAINS[what](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(logpi.LogpiError, match=f"holds {what} of another run"), new_run_directory(tmp_path):
        pass
    assert set(before) <= set(tmp_path.rglob("*"))


BAD_ROWS = ["[1]", "7", "null", "[" * 100_000, "{", '{"steps": "1"}', '{"steps": 1, "kl": NaN}', '{"kl": 1}']
BAD_ROWS += ['{"steps": 1, "kl": 1e400}', '{"steps": 1, "kl": {}}', '{"steps": 1, "kl": true}', '{"steps": 1.5}']


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_complete_line_that_is_no_row_is_refused_by_its_number(tmp_path, row):
    (tmp_path / "metrics.jsonl").write_text(f'{{"steps": 1}}\n{row}\n{{"steps": 3}}\n')
    with pytest.raises(logpi.LogpiError, match="line 2, is damaged"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_a_line_is_whole_or_not_there(tmp_path, heard):
    """A disk that fills up within a line leaves the lines before it readable."""
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    directory = RunDirectory(tmp_path, {}, heard.append)
    try:
        directory.row({"steps": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (directory.written + 10, before[1]))
        directory.row({"steps": 2, "what": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    directory.row({"steps": 3})
    directory.close()
    assert [row["steps"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 3]
    assert directory.failures == 1


def test_runs_that_begin_in_the_same_second_have_directories_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda _: "20260101-120000")
    for end in ("", "-2", "-3"):
        path = default_path("CartPole-v1", "ppo", 0)
        assert path.name == f"ppo-0-20260101-120000{end}"
        path.mkdir(parents=True)


def test_default_paths_hold_no_separator():
    assert default_path("gymnax:Cart/Pole", "ppo", 3).parts[:2] == ("runs", "gymnax-Cart-Pole")


def test_json_says_null_for_what_is_not_finite():
    assert finite({"a": [math.inf, 1.5], "b": (math.nan,)}) == {"a": [None, 1.5], "b": [None]}


BAD_JSON = ["[1]", "{", "[" * 100_000, "", '{"a": NaN}', '{"a": 1e400}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}']
BAD_JSON += ['{"\\udfff": 1}', '{"a": ' + "[" * 99 + "]" * 99 + "}", '{"a": ' + "9" * 5000 + "}"]


@pytest.mark.parametrize("text", BAD_JSON)
def test_json_that_is_no_object_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(logpi.LogpiError, match="not readable"):
        read_json(tmp_path / "run.json")


def test_a_json_file_that_cannot_be_replaced_stays(tmp_path):
    write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
