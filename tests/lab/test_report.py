"""What people and programs are shown."""

import csv
import dataclasses
import io
import json
import signal
import sys

import pytest

from logpi.cli.main import main
from logpi.lab.measure import Measurement
from logpi.lab.report import show

COLUMNS = ["estimator", "baseline", "bias %", "exact %", "z", "variance", "95 %", "S/N", "cosine", "steps", "ms"]
WORDS = "lab tabular:two-state --horizon 2 --estimators total-return --baselines none,mean --batches 20".split()


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """The command line sets the search path and what SIGTERM does; here both are put back."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def row(**changes):
    """A row with numbers that are easy to find again."""
    names = [field.name for field in dataclasses.fields(Measurement)]
    plain = dict.fromkeys(names, 0.5) | {"estimator": "gae", "baseline": "none", "about": "Â", "batches": 3}
    return Measurement(**(plain | {"batch": 8, "steps": 40.0} | changes))


def text_of(*rows):
    """What is printed where there is no terminal."""
    out = io.StringIO()
    show(rows, "a title", out)
    return out.getvalue()


def test_the_table_has_its_columns_and_a_line_for_each_row():
    lines = text_of(row(), row(estimator="naive", bias=-0.123, bias_error=0.01, exact_bias=-0.125)).splitlines()
    assert lines[0].startswith("a title") and [name for name in COLUMNS if name not in lines[1]] == []
    assert "gae" in lines[2] and "-12.3 ± 1.0" in lines[3] and "-12.5" in lines[3]


def test_a_title_is_printed_as_it_is():
    out = io.StringIO()
    show([row()], "pomdp:tiger: [bold]", out)
    assert out.getvalue().startswith("pomdp:tiger: [bold]")


def test_what_is_not_known_is_left_blank_and_nothing_is_minus_nothing():
    assert "None" not in text_of(row(exact_bias=None, p=None, exact_variance=None))
    assert "-0.0 " not in text_of(row(exact_bias=-1e-9))


@pytest.mark.thorough
def test_the_command_writes_a_table_that_programs_can_read_and_a_picture(tmp_path, capsys):
    assert main([*WORDS, "--out", str(tmp_path / "here"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    with (tmp_path / "here" / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["baseline"] for line in lines] == ["none", "mean"]
    assert list(lines[0]) == [field.name for field in dataclasses.fields(Measurement)]
    for line, said in zip(lines, printed["rows"], strict=True):
        assert list(said) == list(line)
        assert float(line["variance"]) == said["variance"] and float(line["exact_bias"]) == said["exact_bias"]
    assert lines[1]["exact_variance"] == "" and printed["rows"][1]["exact_variance"] is None
    assert float(lines[1]["exact_bias"]) == pytest.approx(-1 / 8, abs=1e-5)
    assert (tmp_path / "here" / "figure.png").read_bytes()[1:4] == b"PNG"


BAD = {
    "lab CartPole-v1 --exact": ("CartPole-v1", "tabular:…, pomdp:…"),
    "lab tabular:chain --hide 1 --exact": ("tabular:chain with hidden entries", "tabular:…, pomdp:…"),
    "lab tabular:chain --estimators foo": ("foo", "total-return"),
    "lab tabular:chain --baselines bar": ("bar", "leave-one-out"),
    "lab tabular:chain --estimators q --baselines mean": ("q with mean", "action-mean"),
    "lab tabular:chain --horizon 70": ("horizon is 70", "≤ 66"),
    "lab tabular:chain --gamma 1.5": ("gamma is 1.5", "0 … 1"),
    "lab tabular:chain --batches 0": ("0", "≥ 1"),
    "lab tabular:chain --reference 9": ("reference is 9", "≥ 64"),
    "lab tabular:nowhere": ("tabular:nowhere", "tabular:chain"),
    "lab CartPole-v1 --run nowhere": ("nowhere", "run.json"),
}


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line(line, capsys):
    assert main(line.split()) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert all(word in said.err for word in BAD[line])
