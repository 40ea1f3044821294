"""A package of somebody else's, tests/plugin: where it is installed, its environments and methods are known by name."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import logpi

PLUGIN = Path(__file__).parent / "plugin"
SOURCES = (PLUGIN / "src", Path(logpi.__file__).parent.parent)
PROJECT = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
TRAIN = ["train", "corridor:Short-v0", "advantage-weighted"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder for sys.path with what an editable install would write: metadata with the entry points of pyproject."""
    place = tmp_path_factory.mktemp("installed")
    info = place / f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n")
    groups = PROJECT["entry-points"].items()
    sections = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups]
    (info / "entry_points.txt").write_text("\n".join(sections))
    return place


def cli(installed, *words, status=0):
    """Run `logpi …` in a process of its own; return its (output, errors)."""
    path = os.pathsep.join(map(str, (installed, *SOURCES)))
    command = [sys.executable, "-m", "logpi", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def test_without_the_package_its_names_are_unknown(tmp_path):
    assert "unknown algorithm advantage-weighted; allowed: reinforce" in cli(tmp_path, *TRAIN, status=2)[1]
    assert "corridor:Short-v0" not in cli(tmp_path, "envs")[0]


def test_its_names_and_options_are_listed(installed):
    assert "advantage-weighted Advantage-weighted regression: ascent" in cli(installed, "algorithms")[0]
    assert {"corridor:Short-v0", "corridor:Long-v0"} <= set(cli(installed, "envs")[0].splitlines())
    text = " ".join(cli(installed, *TRAIN, "--help")[0].split())
    assert "temperature β of the weights exp(Â/β); a number above 0 (default 1.0)" in text


def test_bad_input_is_refused_in_one_line(installed):
    error = cli(installed, *TRAIN, "--temperature", "0", status=2)[1]
    assert error == "logpi: temperature is 0; allowed: a number above 0\n"
    assert "Short-v0" in cli(installed, "train", "corridor:Shrt-v0", "advantage-weighted", status=2)[1]


@pytest.mark.slow
def test_a_run_is_trained_resumed_and_evaluated_by_its_directory(installed, tmp_path):
    size = ["--num-envs", "2", "--num-steps", "16", "--hidden", "8", "--evaluations", "1"]
    cli(installed, *TRAIN, *size, "--temperature", "0.5", "--steps", "320", "--out", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (config["environment"], config["algorithm"]) == ("corridor:Short-v0", "advantage-weighted")
    assert config["settings"]["temperature"] == 0.5 and "ExponentiallyWeighted" in "".join(config["description"])
    cli(installed, "resume", tmp_path / "run", "--steps", "640")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["steps"] for row in rows] == [32 * i for i in range(1, 21)]
    result = json.loads(cli(installed, "evaluate", tmp_path / "run", "--episodes", "5", "--json")[0])
    assert len(result["returns"]) == 5 and -20 <= min(result["returns"]) <= max(result["returns"]) <= -3
    error = cli(tmp_path, "resume", tmp_path / "run", status=2)[1]  # where the package is not installed
    assert error.count("\n") == 1 and ("corridor" in error or "advantage-weighted" in error)
