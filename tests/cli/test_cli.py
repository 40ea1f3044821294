"""The command line, as a person types it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from logpi.runs import checkpoints

BAD = {
    "train Nope-v0": ("Nope-v0", "Gymnasium id"),
    "train CartPole-v1 --discoun 0.9": ("--discoun", "--gamma"),
    "train CartPole-v1 --n-steps 64": ("--n-steps", "here it is --num-steps"),
    "train CartPole-v1 --gamma 1.5": ("gamma is 1.5", "0 … 1"),
    "train CartPole-v1 --gamma nan": ("gamma is nan", "0 … 1"),
    "train CartPole-v1 --learning-rate -1": ("learning_rate is -1", "above 0"),
    "train CartPole-v1 --minibatch-size 4096": ("minibatch_size is 4096", "1 … 2048"),
    "train CartPole-v1 --num-envs 2.5": ("num_envs is 2.5", "1 … 2147483647"),
    "train CartPole-v1 --hidden 64,x": ("hidden is 64,x", "64,64"),
    "train CartPole-v1 --steps abc": ("abc", "≥ 1"),
    "train CartPole-v1 pp0": ("pp0", "reinforce, vpg, a2c, npg, trpo, ppo, ppo-kl"),
    "train CartPole-v1 reinforce --clip-range 0.1": ("--clip-range", "belongs to ppo"),
    "train logpi:Nope": ("logpi:Nope", "logpi:CartPole-v1"),
    "train CartPole-v1 --env-arg 8x8": ("--env-arg", "KEY=VALUE"),
    "train CartPole-v1 --import no_such_module": ("no_such_module", "No module named"),
    "train no_such_module:Maze-v0": ("no_such_module", "No module named"),
    "evaluate nowhere": ("nowhere", "run.json"),
    "trian": ("trian", "train"),
}


def logpi(*words, cwd=None):
    return subprocess.run([sys.executable, "-m", "logpi", *words], capture_output=True, text=True, cwd=cwd)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("line", BAD)
def test_bad_input_fails_fast_in_one_line(line, tmp_path):
    started = time.perf_counter()
    done = logpi(*line.split(), cwd=tmp_path)
    seconds = time.perf_counter() - started
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in BAD[line])
    assert seconds < 3
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_refused_is_refused_without_jax():
    """Everything that reads a command line, and every preset, is imported before JAX is."""
    script = (
        "import sys, logpi.cli.main, logpi.cli.parser, logpi.presets.registry, logpi.environments.registry;"
        "sys.exit(sum(name in sys.modules for name in ('jax', 'optax', 'equinox', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


ENVIRONMENT = """
import gymnasium

def make_env():
    return gymnasium.make("CartPole-v1")
"""


@pytest.mark.thorough
def test_train_and_evaluate_an_environment_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(ENVIRONMENT)
    small = "--num-envs 2 --num-steps 16 --minibatch-size 16 --epochs 1 --hidden 8 --evaluations 0".split()
    script = Path(sys.executable).with_name("logpi")  # unlike `python -m`, it starts without this folder on its path
    words = ["train", "mine:make_env", "ppo", "--steps", "64", "--out", "here", *small]
    done = subprocess.run([script, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "here" / "summary.json").read_text())["steps"] == 64
    done = logpi("evaluate", "here", cwd=tmp_path)
    assert done.returncode == 2 and "--env mine:make_env" in done.stderr and done.stderr.count("\n") == 1
    own = ["--env", "mine:make_env"]
    done = logpi("evaluate", "here", *own, "--episodes", "3", "--seed", "5", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {"returns", "lengths", "mean", "ci"} and len(result["returns"]) == 3
    assert result["mean"] == pytest.approx(sum(result["returns"]) / 3)


@pytest.mark.thorough
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"])
def test_a_signal_ends_the_run_and_keeps_what_was_trained(sent, status, tmp_path):
    words = "train logpi:CartPole-v1 --steps 100000000 --evaluations 0 --out here".split()
    process = subprocess.Popen([sys.executable, "-m", "logpi", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "here" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.1)
    process.send_signal(sent)
    assert process.wait(timeout=30) == status
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert json.loads((tmp_path / "here" / "run.json").read_text())["status"] == "interrupted"
    assert len(list((tmp_path / "here" / "checkpoints").iterdir())) > 1


SLOW = """
import time
import gymnasium

class Slow(gymnasium.Wrapper):
    def step(self, action):
        time.sleep(0.05)
        return super().step(action)

def make_env():
    return Slow(gymnasium.make("CartPole-v1"))
"""


@pytest.mark.thorough
def test_a_second_interrupt_ends_at_once_and_what_was_saved_stays(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    words = "train slow:make_env --num-envs 2 --num-steps 1024 --evaluations 0 --out here".split()
    process = subprocess.Popen([sys.executable, "-m", "logpi", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((tmp_path / "here" / "checkpoints").glob("iteration-*")):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert any("once more to end at once" in line for line in process.stderr)
    started = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert time.perf_counter() - started < 1
    assert process.returncode == -signal.SIGINT  # a shell says 130
    process.stderr.close()
    assert checkpoints.newest(tmp_path / "here" / "checkpoints").metadata["iteration"] == 0


WORKERS = """
import functools
import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

def make_env(num_envs):
    one = functools.partial(gymnasium.make, "CartPole-v1")
    return AsyncVectorEnv([one] * num_envs, context="forkserver", autoreset_mode=AutoresetMode.SAME_STEP)
"""


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(child) for child in listed] + [grand for child in listed for grand in children(int(child))]


@pytest.mark.slow
def test_an_interrupt_of_a_whole_terminal_is_answered_by_one_process(tmp_path):
    """Ctrl-C reaches worker processes, too: they stay until the iteration is finished, and go without a word."""
    (tmp_path / "workers.py").write_text(WORKERS)
    words = "train workers:make_env --num-envs 2 --evaluations 0 --steps 100000000 --out here".split()
    command = [sys.executable, "-m", "logpi", *words]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    metrics = tmp_path / "here" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.1)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and "Traceback" not in said, said
    rows = len(metrics.read_text().splitlines())
    assert checkpoints.newest(tmp_path / "here" / "checkpoints").metadata["iteration"] == rows
    ended = time.monotonic() + 5
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < ended:
        time.sleep(0.1)
    assert len(workers) >= 2 and not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_the_lists():
    from logpi.presets.registry import ALGORITHMS

    names = [line.split()[0] for line in logpi("algorithms").stdout.splitlines()]
    assert names == list(ALGORITHMS) and {"reinforce", "vpg", "a2c", "npg", "trpo", "ppo", "ppo-kl"} <= set(names)
    assert "CartPole-v1" in logpi("envs").stdout.splitlines()


def test_help_is_the_docstring_and_every_option():
    text = logpi("train", "CartPole-v1", "vpg", "--help").stdout
    assert "Lovatto" in text and "--critic-epochs" in text and "--clip-range" not in text


def test_the_shell_and_python_give_the_same_algorithm():
    from logpi.cli.parser import parse
    from logpi.presets.registry import find_algorithm

    given = parse("train CartPole-v1 ppo --gamma 0.9 --learning-rate 1e-3:0 --hidden 32,32".split())[1]
    import logpi

    recipe = logpi.ppo(gamma=0.9, learning_rate=logpi.LinearSchedule(1e-3, 0.0), hidden=(32, 32))
    assert find_algorithm("ppo")(**given["options"]).settings("any") == recipe.settings("any")


def test_arguments_of_the_environment_are_literals_or_text():
    from logpi.cli.parser import parse

    words = "train FrozenLake-v1 --env-arg map_name=8x8 --env-arg is_slippery=False --env-arg size=(3,4)".split()
    given = parse(words)[1]
    assert given["env_args"] == {"map_name": "8x8", "is_slippery": False, "size": (3, 4)}
    assert given["algorithm"] == "ppo" and parse([*words[:2], "a2c", *words[2:]])[1]["algorithm"] == "a2c"
    assert parse(["resume", "here"])[1]["env_args"] == {}


SMALL = "--num-envs 2 --num-steps 16 --minibatch-size 16 --epochs 1 --hidden 8 --evaluations 1".split()


@pytest.mark.thorough
def test_arguments_belong_to_the_run(tmp_path):
    """The policy of a map of 64 fields is evaluated, and goes on, on a map of 64 fields; FrozenLake's own has 16."""
    arguments = ["--env-arg", "map_name=8x8", "--env-arg", "is_slippery=False"]
    done = logpi("train", "FrozenLake-v1", "--steps", "64", "--out", "here", *arguments, *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    recorded = json.loads((tmp_path / "here" / "run.json").read_text())
    assert recorded["environment"] == "FrozenLake-v1"
    assert recorded["env_args"] == {"map_name": "8x8", "is_slippery": False}
    done = logpi("evaluate", "here", "--episodes", "2", cwd=tmp_path)
    assert done.returncode == 0 and "of FrozenLake-v1" in done.stdout, done.stderr
    done = logpi("resume", "here", "--steps", "128", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "here" / "run.json").read_text())["env_args"] == recorded["env_args"]


MODULE = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

gymnasium.register("Mine-v0", entry_point=CartPoleEnv, max_episode_steps=20)
"""


@pytest.mark.thorough
def test_a_module_that_registers_environments(tmp_path):
    """It is imported where the user names it, and nowhere else; a file here replaces no installed module."""
    (tmp_path / "mine.py").write_text(MODULE)
    (tmp_path / "gymnasium.py").write_text("raise SystemExit('imported')")
    script = Path(sys.executable).with_name("logpi")  # unlike `python -m`, it starts without this folder on its path
    call = lambda *words: subprocess.run([script, *words], capture_output=True, text=True, cwd=tmp_path)
    assert "Mine-v0" not in call("envs").stdout.splitlines()
    assert "Mine-v0" in call("envs", "--import", "mine").stdout.splitlines()
    done = call("train", "mine:Mine-v0", "--steps", "64", "--out", "here", *SMALL)
    assert done.returncode == 0, done.stderr
    done = call("evaluate", "here", "--episodes", "2")
    assert done.returncode == 2 and "--env mine:Mine-v0" in done.stderr
    for named in (["--env", "mine:Mine-v0"], ["--import", "mine"]):
        done = call("evaluate", "here", "--episodes", "2", *named)
        assert done.returncode == 0 and "of mine:Mine-v0" in done.stdout, done.stderr
