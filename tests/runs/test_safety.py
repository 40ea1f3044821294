"""A run directory may come from anyone: loading it runs nothing, touches nothing else, and says no in one line."""

import json
import pickle
import re
import runpy
import struct
from pathlib import Path

import numpy as np
import pytest
from small_runs import trained

import logpi
from logpi.cli.main import main
from logpi.runs import checkpoint
from logpi.runs.files import read_json

SENTINEL = "sentinel"


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("honest") / "run", steps=64).directory


@pytest.fixture
def run(honest, tmp_path, monkeypatch):
    """A copy of a run, in a place of its own, where anything that ran would leave the sentinel."""
    import shutil

    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(honest, tmp_path / "run"))


def newest(run):
    return sorted((run / "checkpoints").glob("iteration-*"))[-1]


def reseal(place, **changes):
    """A manifest as the library itself would have sealed it: an attacker can do that, too."""
    manifest = read_json(place / checkpoint.MANIFEST)
    del manifest["seal"]
    manifest |= changes
    (place / checkpoint.MANIFEST).write_text(json.dumps(manifest | {"seal": checkpoint._seal(manifest)}))


def resealed_arrays(place, data):
    (place / checkpoint.ARRAYS).write_bytes(data)
    reseal(place, sha256=checkpoint._digest(data))


class Payload:
    def __reduce__(self):
        return (Path(SENTINEL).touch, ())


def pickled_arrays(run):
    for place in (run / "checkpoints").iterdir():
        resealed_arrays(place, pickle.dumps(Payload()))


def pickled_manifests(run):
    for place in (run / "checkpoints").iterdir():
        (place / checkpoint.MANIFEST).write_bytes(pickle.dumps(Payload()))


def pickled_configuration(run):
    (run / "run.json").write_bytes(pickle.dumps(Payload()))


def declared(shape, dtype="F32", start=0, end=None):
    """A safetensors file whose header claims one array of this shape."""
    header = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": [start, end or 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 4


def huge_array(run):
    for place in (run / "checkpoints").iterdir():
        resealed_arrays(place, declared([2**40, 2**20], end=4 * 2**60))


def huge_header(run):
    for place in (run / "checkpoints").iterdir():
        resealed_arrays(place, struct.pack("<Q", 2**62) + b"{}")


def changed(run, **changes):
    (run / "run.json").write_text(json.dumps(read_json(run / "run.json") | changes))


def huge_network(run):
    changed(run, settings=read_json(run / "run.json")["settings"] | {"hidden": [10**9, 10**9]})


def endless_network(run):
    changed(run, settings=read_json(run / "run.json")["settings"] | {"hidden": [10**30]})


def huge_space(run):
    box = {"space": "Box", "shape": [10**9, 10**9], "dtype": "float32", "low": 0, "high": 1}
    changed(run, spaces=read_json(run / "run.json")["spaces"] | {"observation": box})


def unknown_option(run):
    changed(run, settings={"__import__": "os"})


def unknown_algorithm(run):
    changed(run, algorithm="os:system")


def no_spaces(run):
    changed(run, spaces={})


ATTACKS = [
    pickled_arrays,
    pickled_manifests,
    pickled_configuration,
    huge_array,
    huge_header,
    huge_network,
    endless_network,
    huge_space,
    unknown_option,
    unknown_algorithm,
    no_spaces,
]


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_in_one_line_and_runs_nothing(run, attack):
    attack(run)
    with pytest.raises(logpi.LogpiError) as refused:
        logpi.load(run)
    assert "\n" not in str(refused.value).strip()
    assert not Path(SENTINEL).exists()


MODULE = "from pathlib import Path\nPath('sentinel').touch()\n"


@pytest.mark.parametrize("name", ["theirs:make_env", "theirs:Env-v0", "os:abort"])
@pytest.mark.parametrize("command", ["resume", "evaluate"])
def test_a_module_is_imported_only_by_the_name_that_was_typed(run, name, command, monkeypatch, capsys):
    from logpi.cli.main import main

    Path("theirs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(Path.cwd())
    changed(run, environment=name)
    assert main([command, str(run)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"--env {name}" in said
    assert not Path(SENTINEL).exists()


@pytest.mark.parametrize("path", ["../../outside", "/outside"])
def test_no_path_in_a_manifest_is_followed(run, path):
    """File names are the library's own: whatever a manifest says, nothing outside is read or written."""
    before = sorted(run.parent.rglob("*"))
    reseal(newest(run), arrays=path, file=path, path=path)
    logpi.load(run)
    assert sorted(run.parent.rglob("*")) == before


def test_nothing_that_loads_can_run_code():
    """The load path's own source: no pickle and no kin of it, no eval, no import of what a file names."""
    room = Path(checkpoint.__file__).parent
    forbidden = r"pickle|marshal|shelve|joblib|torch|np\.load|(?<!safetensors\.)numpy\.load|eval\(|exec\(|import_module"
    for path in room.glob("*.py"):
        assert not re.search(forbidden, path.read_text()), path.name


def test_an_export_is_the_runs_policy(run, capsys):
    """From the shell: the module acts as the policy does, and says where it is from."""
    assert main(["export", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'policy.py'}\n"
    policy, act = logpi.load(run).policy, runpy.run_path(str(run / "policy.py"))["act"]
    for obs in np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32):
        assert act(obs) == policy(obs).mode()
    assert "trained on logpi:CartPole-v1 by ppo, seed 0.\n" in (run / "policy.py").read_text()
    assert main(["export", str(run), "--best"]) == 3  # none was evaluated: there is no best one
    assert main(["export", str(run), "--out", str(run / "other.py")]) == 0
    assert (run / "other.py").read_bytes() == (run / "policy.py").read_bytes()


def test_what_a_directory_says_is_no_code_of_an_export(run):
    """The name of the environment stands in the module's docstring, and cannot end it."""
    said = read_json(run / "run.json")
    said["environment"] = f'logpi:CartPole-v1"""; open("{SENTINEL}", "w"); """\\'
    (run / "run.json").write_text(json.dumps(said))
    runpy.run_path(str(logpi.export(logpi.load(run), run / "policy.py")))
    assert not Path(SENTINEL).exists()
