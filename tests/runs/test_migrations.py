"""Run directories that earlier versions wrote: loaded, evaluated and resumed as the version that wrote them did.

A golden directory of each schema is kept in tests/golden/schema-N: NAME is the run; NAME.resumed.npz and
NAME.resumed.jsonl are the networks and metrics of that version after it resumed the run with twice the steps.
"""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

import logpi
from logpi.runs import checkpoint, configuration, migrations
from logpi.runs.files import read_json, read_metrics, write_json

GOLDEN = Path(__file__).parent.parent / "golden"
RUNS = [path.parent for path in sorted(GOLDEN.glob("schema-*/*/run.json"))]
MENDED = {"ppo-host": "ppo", "trpo-device": "trpo", "evolution-host": "evolution"}
ONE = np.float32(1)
named = pytest.mark.parametrize("golden", RUNS, ids=lambda path: f"{path.parent.name}-{path.name}")


def arrays_of(networks):
    return [np.asarray(x) for x in jax.tree.leaves(networks) if hasattr(x, "shape")]


def same(one, other, rtol=1e-4):
    return all(np.allclose(a, b, rtol=rtol, atol=1e-6) for a, b in zip(one, other, strict=True))


def test_there_is_a_golden_directory_of_every_earlier_schema():
    assert {path.parent.name for path in RUNS} == {f"schema-{n}" for n in range(migrations.OLDEST, migrations.SCHEMA)}


@pytest.mark.thorough
@named
def test_it_is_resumed_as_the_version_that_wrote_it_did(golden, tmp_path, capsys):
    shutil.copytree(golden, tmp_path / "run")
    rest = logpi.resume(tmp_path / "run", steps=2 * read_json(golden / "run.json")["steps"], workers=0)
    log = capsys.readouterr().err
    assert "did not replay" not in log and "not the one" not in log
    expected = np.load(golden.with_name(f"{golden.name}.resumed.npz"))
    assert same(arrays_of((rest.policy, rest.critic)), [expected[name] for name in expected.files])
    columns = [name for name in rest.metrics[0] if "second" not in name]
    rows = [json.loads(line) for line in golden.with_name(f"{golden.name}.resumed.jsonl").read_text().splitlines()]
    for row, old in zip(rest.metrics, map(migrations.migrate_row, rows), strict=True):
        assert [row[name] for name in ("iteration", "steps", "episodes")] == [
            old[name] for name in ("iteration", "steps", "episodes")
        ]
        assert set(columns) <= {*row, "eval_return_mean", "eval_length_mean"} and set(row) == set(old)
    assert read_json(tmp_path / "run" / "run.json")["schema"] == migrations.SCHEMA
    assert same(arrays_of(logpi.load(tmp_path / "run").policy), arrays_of(rest.policy), rtol=0)


@pytest.mark.thorough_after(1)
@named
@pytest.mark.parametrize("which", ["final", "best"])
def test_it_is_loaded_and_evaluated(golden, which, tmp_path):
    run = logpi.load(golden, which=which)
    config = configuration.read(golden)
    assert len(run.metrics) == len(read_metrics(golden / "metrics.jsonl")) > 0
    assert logpi.evaluate(run.policy, config["environment"], episodes=2, seed=1).returns.shape == (2,)


@named
def test_every_option_is_read_under_its_name_of_today(golden):
    config = configuration.read(golden)
    old = read_json(golden / "run.json")
    recipe = configuration.recipe(config, golden)
    assert set(config["settings"]) <= set(recipe.defaults)  # options that are newer have their defaults
    assert list(config["settings"].values()) == list(old["settings"].values())
    assert config["description"] == [] and config["schema"] == migrations.SCHEMA


def test_max_kl_is_an_early_stop_in_ppo_and_a_trust_region_elsewhere(tmp_path):
    read = lambda name: configuration.read(GOLDEN / "schema-2" / name)["settings"]
    assert "target_kl" in read("ppo-host") and "max_kl" not in read("ppo-host")
    assert read("trpo-device")["max_kl"] == 0.01


@pytest.mark.parametrize("number", [0, migrations.OLDEST - 1, migrations.SCHEMA + 1, "3", None, True])
def test_a_schema_that_is_not_known_is_refused_by_its_number(number, tmp_path):
    shutil.copytree(RUNS[0], tmp_path / "run")
    write_json(tmp_path / "run" / "run.json", read_json(RUNS[0] / "run.json") | {"schema": number})
    reason = rf"run\.json has schema {number}; this version of logpi reads {migrations.OLDEST} to {migrations.SCHEMA}"
    with pytest.raises(logpi.LogpiError, match=reason):
        logpi.load(tmp_path / "run")
    place = next((tmp_path / "run" / "checkpoints").iterdir())
    manifest = read_json(place / checkpoint.MANIFEST)
    write_json(place / checkpoint.MANIFEST, manifest | {"schema": number})
    with pytest.raises(logpi.LogpiError, match=f"has schema {number}; this version"):
        checkpoint.read(place)


def test_the_next_migration_is_one_more_entry(monkeypatch):
    """Steps follow each other: what the first step wrote is renamed again by the second."""
    later = migrations.Migration(settings={"gamma": "discount_factor"}, arrays={r"^carry\.env_state\b": "carry.env"})
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, later))
    monkeypatch.setattr(migrations, "SCHEMA", migrations.SCHEMA + 1)
    config = {"algorithm": "ppo", "settings": {"discount": 0.9, "hidden": [8]}}
    migrated = migrations.migrate_configuration(config, Path("run.json"))
    assert migrated["settings"] == {"discount_factor": 0.9, "hidden": [8]}
    assert migrations.migrate_arrays({"carry.environment[0]": ONE}, 2) == {"carry.env[0]": ONE}
    assert migrations.migrate_arrays({"carry.env_state[0]": ONE}, 3) == {"carry.env[0]": ONE}


def test_returns_so_far_are_the_higher_part_of_those_of_today():
    for path, schema in [("carry.running", 2), ("carry.partial_returns", 3)]:
        migrated = migrations.migrate_arrays({path: np.array([1.5, 2.5], np.float32)}, schema)
        assert {name: x.tolist() for name, x in migrated.items()} == {
            "carry.partial_returns.high": [1.5, 2.5],
            "carry.partial_returns.low": [0, 0],
        }
