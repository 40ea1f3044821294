"""SIGKILL at any moment: what is in the directory loads, and the run that goes on is the run that was never killed.

uv run pytest -m slow tests/runs/test_kills.py
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_runs import fingerprint

import logpi
from logpi.runs import checkpoints
from logpi.runs.files import read_metrics

SAVER = """
import sys; from pathlib import Path; import jax.numpy as jnp; from logpi.runs import checkpoints
for i in range(10**9):
    checkpoints.save(Path(sys.argv[1]), checkpoints.LAST, i, {"x": jnp.full(5000, float(i))})
    print(i, flush=True)
"""


def killed_after(process, seconds):
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_kill_while_saving_leaves_a_whole_checkpoint(tmp_path):
    """Fifty kills at random moments, one directory: each time some completed step loads, never one half written."""
    rng, done = random.Random(0), -1
    for _ in range(50):
        with subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            killed_after(process, rng.uniform(0, 0.05))
            done = max([0, *map(int, process.stdout.read().split())])
        saved = checkpoints.newest(tmp_path, say=pytest.fail)
        assert saved.metadata["iteration"] >= done
        assert (saved.arrays["['x']"] == saved.metadata["iteration"]).all()
        checkpoints.remove_stale(tmp_path, after=-1)


TASKS = {
    ("CartPole-v1", "ppo"): "--num-envs 4 --num-steps 32 --minibatch-size 32 --epochs 4 --steps 16000",
    ("CartPole-v1", "reinforce"): "--num-envs 4 --steps 80000",
    ("Pendulum-v1", "ppo"): "--num-envs 4 --num-steps 32 --minibatch-size 32 --epochs 4 --steps 16000",
    ("Pendulum-v1", "reinforce"): "--num-envs 4 --steps 40000",
    ("HalfCheetah-v5", "ppo"): "--num-envs 4 --num-steps 64 --minibatch-size 64 --epochs 4 --steps 12000",
    ("HalfCheetah-v5", "reinforce"): "--num-envs 2 --steps 20000",
    ("logpi:CartPole-v1", "ppo"): "--num-envs 4 --num-steps 32 --minibatch-size 32 --epochs 4 --steps 32000",
    ("logpi:CartPole-v1", "reinforce"): "--num-envs 4 --steps 200000",
}


def command(*words):
    return [sys.executable, "-m", "logpi", *map(str, words)]


def train(env, algorithm, out):
    common = "--seed 3 --evaluations 2 --checkpoint-seconds 0.2 --hidden 16".split()
    return command("train", env, algorithm, *TASKS[env, algorithm].split(), *common, "--out", out)


def begun(directory):
    """When a process last took the directory."""
    file = directory / "run.json"
    return file.stat().st_mtime_ns if file.exists() else 0


def printed_rows_are_there(directory: Path):
    """Every line of the metrics but a torn last one parses, and none is twice."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines[:-1]]
    assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.slow
@pytest.mark.parametrize(("env", "algorithm"), TASKS)
def test_ten_kills_later_the_run_is_the_one_that_was_never_killed(tmp_path, env, algorithm):
    if "Cheetah" in env:
        pytest.importorskip("mujoco")
    subprocess.run(train(env, algorithm, tmp_path / "whole"), check=True, capture_output=True)
    whole, rng, kills = logpi.load(tmp_path / "whole"), random.Random(f"{env} {algorithm}"), 0
    seconds = whole.summary["train_seconds"] + whole.summary["compile_seconds"]
    killed = tmp_path / "killed"
    words = train(env, algorithm, killed)
    while kills < 10:
        before = begun(killed)
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and begun(killed) <= before:
                time.sleep(0.01)
            killed_after(process, rng.uniform(0, seconds))
            kills += process.returncode == -signal.SIGKILL
        if process.returncode == 0:  # it came to its end: begin another one
            subprocess.run(["rm", "-r", str(killed)], check=True)
        words = command("resume", killed) if (killed / "run.json").exists() else train(env, algorithm, killed)
        if (killed / "metrics.jsonl").exists():
            printed_rows_are_there(killed)
        if checkpoints.list_checkpoints(killed / "checkpoints", checkpoints.LAST):
            logpi.load(killed)
    subprocess.run(words, check=True, capture_output=True)
    again = logpi.load(killed)
    assert fingerprint(again) == fingerprint(whole)
    assert read_metrics(killed / "metrics.jsonl")[-1]["iteration"] == whole.metrics[-1]["iteration"]
