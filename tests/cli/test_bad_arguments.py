"""Arguments that cannot work, generated: one line, status 2, nothing written, nothing begun."""

import random
import signal

import pytest

from logpi.cli.main import main

HUGE, LONG = "9" * 400, "x" * 5000
NUMBERS = ["", "x", "nan", "-1", "1e400", "-inf", "²", "0x10", "1:2:3", ":", "\ud800", HUGE, "1\n2", "[]", "--", LONG]
COUNTS = [*NUMBERS, "2.5", "2147483648", "1e30"]
ENVIRONMENTS = ["Nope-v0", "", ":", "logpi:", "logpi:Nope", "a:b:c", "CartPole-v1\0", "../x", LONG, "\ud800"]
ENVIRONMENTS += ["CartPole-v", "nope:Maze-v0", "nope:make", "builtins:nope", "logpi:CartPole-v1 ", "1:2", "-", "a\nb"]
OPTIONS = {
    "--gamma": [*NUMBERS, "1.5"],
    "--learning-rate": [*NUMBERS, "0", "1e39"],
    "--num-envs": [*COUNTS, "0"],
    "--num-steps": [*COUNTS, "0"],
    "--epochs": COUNTS,
    "--minibatch-size": [*COUNTS, "100000"],
    "--hidden": ["x", "64,x", "0", "-1", "1e400", "4611686018427387904", "1000000,1000000", HUGE],
    "--std": ["x", "", LONG],
    "--squash": ["maybe", "", "2"],
    "--initial-std": [*NUMBERS, "0", "1e7"],
    "--steps": ["", "x", "nan", "-1", "0", "1e400", "2.5", "1e30", HUGE, "\ud800"],
    "--seed": ["", "x", "-1", "²", "1.5", "\ud800", HUGE],
    "--evaluations": ["", "x", "-1", "²", HUGE],
    "--checkpoint-seconds": ["", "x", "-1", "nan", "inf", "1e400"],
    "--workers": ["x", "-1", "²", "1.5", ""],
    "--restarts": ["x", "-1", "1.5"],
    "--step-timeout": ["x", "-1", "nan"],
    "--env-arg": ["8x8", "=1", "", "1=2", "a b=1", "²=1"],
    "--import": ["no_such_module", "", ".", "a..b", "\ud800", "x\0y"],
    "--n-steps": ["5"],
    f"--{LONG}": ["1"],
    "--\ud800": ["1"],
    "-q": ["1"],
}
RUNS = {
    "evaluate": {"--episodes": COUNTS, "--seed": ["x", "-1"], "--max-episode-steps": COUNTS, "--nope": ["1"]},
    "resume": {"--steps": COUNTS[:10], "--workers": ["x", "-1"], "--nope": ["1"]},
    "export": {"--out": ["x.py"], "--nope": ["1"]},
}
DIRECTORIES = ["nowhere", "", "\0", LONG, "/dev/null", "/dev/null/x", "a\nb", "\ud800", "/proc/self/mem", "."]


def words(rng):
    """A command line with something wrong in it, and perhaps more than one thing."""
    command = rng.choice(["train"] * 6 + ["evaluate", "resume", "export", "lab", "other"])
    if command == "train":
        bad_environment = rng.random() < 0.2
        line = [
            "train",
            rng.choice(ENVIRONMENTS) if bad_environment else rng.choice(["CartPole-v1", "logpi:CartPole-v1"]),
        ]
        bad_method = rng.random() < 0.1
        line += [rng.choice(["pp0", "", "\ud800", LONG])] if bad_method else rng.choice([[], ["ppo"]])
        for flag in rng.sample(sorted(OPTIONS), 0 if bad_environment or bad_method else rng.choice([1, 1, 2, 3])):
            value = rng.choice(OPTIONS[flag])
            line += rng.choice([[flag, value], [f"{flag}={value}"], [flag, value]])
        return line + (["--gamma"] if rng.random() < 0.05 else [])
    if command in RUNS:
        line = [command, rng.choice(DIRECTORIES)]
        flag = rng.choice(sorted(RUNS[command]))
        return line + ([flag, rng.choice(RUNS[command][flag])] if rng.random() < 0.5 else [])
    if command == "lab":
        flag = rng.choice(["--batch", "--batches", "--horizon", "--gamma", "--estimators", "--seed"])
        bad = {"--gamma": ["x", "1.5", "nan", "inf"], "--estimators": ["x", "x,y"], "--seed": ["x", "-1"]}
        return ["lab", "tabular:chain", flag, rng.choice(bad.get(flag, COUNTS[:7]))]
    return rng.choice(
        [[], ["trian"], [""], ["\0"], ["\ud800"], ["envs", "x"], ["algorithms", "--x"], ["--nope"], [LONG]]
    )


CHUNKS, LINES = 13, 25


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory, and signals as they were."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_bad_arguments_are_one_line(here, capsys, chunk):
    for i in range(LINES):
        line = words(random.Random(f"{chunk} {i}"))
        assert main(line) in (2, 3), line
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("logpi: ") and err.count("\n") == 1, (line, err)
        assert len(err) < 20_000, line
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("factory", ["builtins:print", "builtins:dict", "math:pi", "os:getcwd", "builtins:object"])
def test_what_makes_no_environment_is_one_line(here, capsys, factory):
    assert main(["train", factory]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and factory in err


def test_the_lab_refuses_a_file_for_a_directory_before_it_measures(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    for out, reason in [("file", "it is a file"), ("file/below", "Not a directory")]:
        assert main(["lab", "tabular:chain", "--out", str(tmp_path / out)]) == 2
        line = capsys.readouterr().err
        assert f"no directory to write into: {reason}" in line and line.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"
