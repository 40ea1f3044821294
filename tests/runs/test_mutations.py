"""A damaged run directory is refused in one line, or loads with exactly the numbers that were saved."""

import json
import random
import shutil
import struct
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest
from small_runs import trained

import logpi
from logpi.runs import checkpoint, checkpoints, progress
from logpi.runs.files import read_json

DEEP = "[" * 100_000 + "]" * 100_000
RAW = {"@deep": DEEP, "@1e400": "1e400", "@-1e400": "-1e400", "@nan": "NaN", "@inf": "Infinity", "@digits": "9" * 5000}
VALUES = [None, True, False, *RAW, -1, -(10**12), 2**31, 2**62, 2**63, 2**64, 10**400, 0, 0.5, -0.5, 1e308, "", "x"]
VALUES += ["\ud800", "a\nb", "\x1b[2J", "²", "1e400", "nan", "../../x", "os:system", [], {}, [[]], [None], {"": {}}]
CHUNKS, MUTATIONS = 24, 26  # in all, of which half are sealed again


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A run with one checkpoint, so that there is none to go back to."""
    run = trained(tmp_path_factory.mktemp("honest") / "run", steps=128)
    for place in checkpoints.list_checkpoints(run.directory / "checkpoints", checkpoints.LAST)[1:]:
        checkpoint.remove(place)
    return logpi.load(run.directory)


def numbers(run):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves((run.policy, run.critic)) if hasattr(x, "dtype")]


def replaced(value, rng):
    """The JSON value with one of its parts, at random, replaced, removed or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {other: x for other, x in value.items() if other != name}
        if rng.random() < 0.05:
            return {**value, rng.choice(["\ud800", "", "x\ny"]): value[name]}
        return {**value, name: replaced(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        i = rng.randrange(len(value))
        return [*value[:i], replaced(value[i], rng), *value[i + 1 :]]
    return rng.choice(VALUES)


def text_of(value):
    text = json.dumps(value, indent=1)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text


def json_file(path, rng):
    path.write_text(text_of(replaced(json.loads(path.read_text()), rng)))


def row(path, rng):
    lines = path.read_text().splitlines()
    i = rng.randrange(len(lines))
    lines[i] = text_of(replaced(json.loads(lines[i]), rng)).replace("\n", "")
    path.write_text("\n".join(lines) + "\n")


def some_bytes(path, rng):
    data = path.read_bytes()
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    kinds = [
        data[:a],
        data[:a] + data[b:],
        data[:b] + data[a:],
        data[:a] + bytes(b - a) + data[b:],
        b"",
        bytes(len(data)),
    ]
    flipped = bytearray(data)
    flipped[min(a, len(data) - 1)] ^= 1 << rng.randrange(8)
    path.write_bytes(rng.choice([*kinds, bytes(flipped), data[:a] + rng.randbytes(9) + data[a:]]))


def seal(place, manifest):
    plain = {name: x for name, x in manifest.items() if name != "seal"}
    (place / checkpoint.MANIFEST).write_text(text_of(plain | {"seal": checkpoint._seal(plain)}))


def sealed_manifest(place, rng):
    manifest = read_json(place / checkpoint.MANIFEST)
    facts = manifest["facts"]
    part = rng.choice(["progress", "progress", "facts", "all"])
    if part == "progress":
        manifest["facts"] = facts | {"progress": replaced(facts["progress"], rng)}
    else:
        manifest = replaced(manifest, rng) if part == "all" else manifest | {"facts": replaced(facts, rng)}
    seal(place, manifest if isinstance(manifest, dict) else {"facts": manifest})


def sealed_arrays(place, rng):
    """Another header of the arrays: names, dtypes, shapes, offsets, its length; not the numbers."""
    data = (place / checkpoint.ARRAYS).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = text_of(replaced(json.loads(data[8 : 8 + size]), rng)).encode()
    said = rng.choice([len(header)] * 6 + [0, 1, 2**31, 2**62, 2**64 - 1])
    data = struct.pack("<Q", said) + header + data[8 + size :]
    (place / checkpoint.ARRAYS).write_bytes(data)
    seal(place, read_json(place / checkpoint.MANIFEST) | {"sha256": checkpoint._digest(data)})


def mutate(directory, rng):
    """Damage one file; returns whether only the file's own numbers can tell, which nothing vouches for."""
    place = checkpoints.list_checkpoints(directory / "checkpoints", checkpoints.LAST)[0]
    if rng.random() < 0.5:
        rng.choice([sealed_manifest, sealed_manifest, sealed_arrays])(place, rng)
        return False
    files = [directory / name for name in ("run.json", "metrics.jsonl", "summary.json")]
    path = rng.choice([*files, place / checkpoint.MANIFEST, place / checkpoint.ARRAYS])
    change = {".json": json_file, ".jsonl": row}.get(path.suffix, some_bytes)
    rng.choice([some_bytes, change])(path, rng)
    return path.name == "metrics.jsonl"


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damage_is_refused_in_one_line_or_changes_no_number(honest, tmp_path, chunk):
    refused = 0
    for i in range(MUTATIONS):
        directory = Path(shutil.copytree(honest.directory, tmp_path / str(i)))
        metrics_changed = mutate(directory, random.Random(f"{chunk} {i}"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                run = logpi.load(directory)
                reached = progress.read(checkpoints.newest(directory / "checkpoints"))
        except logpi.LogpiError as error:
            assert error.status in (2, 3) and str(error).isprintable() and len(str(error)) < 2000
            refused += 1
        else:
            assert numbers(run) == numbers(honest)
            assert metrics_changed or run.metrics == honest.metrics
            assert 0 <= reached.steps < 2**63 and reached.train_seconds >= 0
    assert refused >= MUTATIONS / 3


HUGE = {"hidden": [2**62], "num_envs": 2**31, "num_steps": 2**62, "learning_rate": "1e400", "epochs": 10**400}


@pytest.mark.parametrize("name", HUGE)
def test_sizes_that_no_program_has_are_refused_by_name(honest, tmp_path, name):
    directory = Path(shutil.copytree(honest.directory, tmp_path / "run"))
    config = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps(config | {"settings": config["settings"] | {name: HUGE[name]}}))
    with pytest.raises(logpi.LogpiError, match=f"^{name} is "):
        logpi.load(directory)


@pytest.mark.parametrize("value", [None, True, -1, 2**64, 0.5, "0", [], float("nan")])
@pytest.mark.parametrize("name", ["iteration", "steps", "episodes", "rows", "train_seconds"])
def test_progress_that_no_run_makes_is_refused_by_field(honest, name, value):
    saved = checkpoints.newest(honest.directory / "checkpoints")
    metadata = saved.metadata | {"progress": saved.metadata["progress"] | {name: value}}
    if name == "train_seconds" and value in (2**64, 0.5):
        value = metadata["progress"][name] = 10**400
    with pytest.raises(logpi.LogpiError, match=rf"progress in .*manifest.json: {name} is "):
        progress.read(checkpoint.Checkpoint(saved.path, saved.arrays, metadata))


def test_an_array_of_another_dtype_is_refused_by_leaf(honest):
    saved = checkpoints.newest(honest.directory / "checkpoints")
    doubled = {path: x.astype(np.float64) if x.dtype == np.float32 else x for path, x in saved.arrays.items()}
    with pytest.raises(logpi.LogpiError, match=r"carry\.state\.policy.* was saved as float64 .*, expected float32"):
        checkpoint.restore(checkpoint.Checkpoint(saved.path, doubled, {}), honest.policy, "carry.state.policy")


def test_what_no_checkpoint_is_named_like_is_left_alone(honest, tmp_path):
    directory = Path(shutil.copytree(honest.directory / "checkpoints", tmp_path / "checkpoints"))
    for name in ("iteration-²", "iteration-٣٣٣٣٣٣٣٣٣", "best-", "keep.old-1", "iteration-999", "a\nb"):
        (directory / name).mkdir()
    before = sorted(directory.iterdir())
    checkpoints.remove_stale(directory, after=2)
    assert sorted(directory.iterdir()) == before and checkpoints.newest(directory).metadata["iteration"] == 2


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "summary.json", "checkpoints"])
def test_a_link_is_refused_and_nothing_behind_it_changes(honest, tmp_path, name):
    directory = Path(shutil.copytree(honest.directory, tmp_path / "run"))
    shutil.move(directory / name, tmp_path / "elsewhere")
    (directory / name).symlink_to(tmp_path / "elsewhere")
    state = lambda: [(p.name, p.lstat().st_mtime_ns, p.lstat().st_size) for p in sorted(tmp_path.rglob("elsewhere*"))]
    before = state()
    with pytest.raises(logpi.LogpiError, match=f"{name} is a link"):
        logpi.load(directory)
    assert state() == before


def test_a_run_directory_may_itself_be_a_link(honest, tmp_path):
    (tmp_path / "link").symlink_to(honest.directory)
    assert numbers(logpi.load(tmp_path / "link")) == numbers(honest)
