"""A run that was ended goes on as if it had not been."""

import json
import os
import shutil
import signal

import gymnasium
import jax
import numpy as np
import pytest
from damage import FAULTS
from helpers import mostly_slow
from small_runs import TINY, fingerprint

import logpi
from logpi.cli.main import main
from logpi.loop import device, host
from logpi.runs import checkpoint
from logpi.runs.files import read_json, read_metrics
from logpi.training import driver

STEPS = 10 * 64
RECIPES = {"ppo": logpi.ppo(**TINY), "reinforce": logpi.reinforce(num_envs=4, hidden=(8,), episodes=1)}
BUDGETS = {"ppo": STEPS, "reinforce": 4 * 500 * 4}


def trained(out, env="logpi:CartPole-v1", algorithm="ppo", **changes):
    options = {"steps": BUDGETS[algorithm], "seed": 1, "evaluations": 3, "out": out} | changes
    return logpi.train(env, RECIPES[algorithm], **options)


def until(iteration):
    return lambda record: record["iteration"] == iteration


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("env", "algorithm"),
    mostly_slow(
        [
            ("CartPole-v1", "ppo"),
            ("logpi:CartPole-v1", "reinforce"),
            ("logpi:CartPole-v1", "ppo"),
            ("CartPole-v1", "reinforce"),
            ("Pendulum-v1", "ppo"),
            ("Pendulum-v1", "reinforce"),
        ],
    ),
)
def test_the_run_that_goes_on_is_the_run_that_was_never_ended(tmp_path, env, algorithm):
    whole = trained(tmp_path / "whole", env, algorithm)
    trained(tmp_path / "ended", env, algorithm, callbacks=[until(3)])
    rest = logpi.resume(tmp_path / "ended")
    assert fingerprint(rest) == fingerprint(whole) == fingerprint(logpi.load(tmp_path / "ended"))
    assert read_metrics(tmp_path / "ended" / "metrics.jsonl") == rest.metrics
    best = [logpi.load(tmp_path / name, which="best") for name in ("whole", "ended")]
    assert fingerprint(best[0])[0] == fingerprint(best[1])[0]


@pytest.mark.thorough
def test_whole_episodes_have_nothing_to_replay(tmp_path, capsys):
    recipe = logpi.reinforce(num_envs=2, hidden=(4,), episodes=2, max_episode_steps=20, learning_rate=1e-2)
    train = lambda name, **o: logpi.train("CartPole-v1", recipe, steps=400, evaluations=0, out=tmp_path / name, **o)
    whole = train("whole")
    train("ended", callbacks=[until(2)])
    capsys.readouterr()
    assert fingerprint(logpi.resume(tmp_path / "ended")) == fingerprint(whole)
    assert "did not replay" not in capsys.readouterr().err


@pytest.mark.thorough
def test_it_goes_on_from_a_checkpoint_before_the_end_and_makes_no_row_twice(tmp_path):
    """As after SIGKILL: rows and checkpoints beyond the one that is left are made again."""
    whole = trained(tmp_path / "whole", "CartPole-v1", checkpoint_seconds=0)
    places = sorted((tmp_path / "whole" / "checkpoints").glob("iteration-*"))
    assert [int(place.name[-9:]) for place in places] == [8, 9, 10]
    FAULTS[0](places[-1] / checkpoint.ARRAYS)
    FAULTS[1](places[-2] / checkpoint.MANIFEST)
    rest = logpi.resume(tmp_path / "whole")
    assert fingerprint(rest) == fingerprint(whole)
    assert [row["iteration"] for row in read_metrics(tmp_path / "whole" / "metrics.jsonl")] == list(range(1, 11))


@pytest.mark.thorough
def test_a_larger_budget_goes_on_from_the_end(tmp_path):
    first = trained(tmp_path, steps=128)
    more = logpi.resume(tmp_path, steps=256)
    assert [row["steps"] for row in more.metrics] == [64, 128, 192, 256] and more.metrics[:2] == first.metrics
    assert read_json(tmp_path / "run.json")["steps"] == 256


@pytest.mark.thorough
def test_a_run_that_is_done_has_nothing_more_to_do(tmp_path):
    run = trained(tmp_path, steps=128)
    assert fingerprint(logpi.resume(tmp_path)) == fingerprint(run)


@pytest.mark.thorough
def test_a_run_that_was_ended_before_it_began_begins(tmp_path):
    whole = trained(tmp_path / "whole", steps=128)
    shutil.copytree(tmp_path / "whole", tmp_path / "ended")
    shutil.rmtree(tmp_path / "ended" / "checkpoints")
    with pytest.raises(logpi.NoCheckpoint, match="there is none"):  # it has rows: starting over would cut them off
        logpi.resume(tmp_path / "ended")
    (tmp_path / "ended" / "metrics.jsonl").write_bytes(b"")
    assert fingerprint(logpi.resume(tmp_path / "ended")) == fingerprint(whole)


@pytest.mark.thorough
def test_if_no_checkpoint_can_be_read_that_is_said(tmp_path):
    trained(tmp_path, steps=128)
    for place in (tmp_path / "checkpoints").iterdir():
        FAULTS[1](place / checkpoint.ARRAYS)
    for go_on in (logpi.resume, logpi.load):
        with pytest.raises(logpi.NoCheckpoint, match="can be read"):
            go_on(tmp_path)
    assert main(["resume", str(tmp_path)]) == main(["evaluate", str(tmp_path)]) == 3


@pytest.mark.slow
def test_an_algorithm_from_parts_goes_on_when_it_is_passed_again(tmp_path):
    env = logpi.make("logpi:CartPole-v1", 4)
    spaces = env.spec.observation_space, env.spec.action_space
    policy = logpi.mlp_policy(*spaces, hidden=(8,), key=jax.random.key(0))
    rate = logpi.LinearSchedule(1e-2, 0.0)
    algorithm = logpi.PolicyGradient(
        logpi.TotalReturn(), logpi.score, logpi.Ascent(logpi.adam, rate), collect=logpi.Episodes()
    )
    options = {"policy": policy, "steps": 20_000, "evaluations": 0}
    whole = logpi.train(env, algorithm, out=tmp_path / "whole", **options)
    logpi.train(env, algorithm, out=tmp_path / "ended", callbacks=[until(2)], **options)
    with pytest.raises(logpi.LogpiError, match="put together from parts"):
        logpi.resume(tmp_path / "ended", env=env)
    rest = logpi.resume(tmp_path / "ended", env=env, algorithm=algorithm, policy=policy)
    assert fingerprint(rest) == fingerprint(whole)
    rates = [row["learning_rate"] for row in rest.metrics]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == len(rates)


class Counting(gymnasium.Env):
    """An environment that never shows the same twice, whatever its seed."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Discrete(2)
    calls = 0

    def reset(self, *, seed=None, options=None):
        return self.step(0)[0], {}

    def step(self, action):
        Counting.calls += 1
        return np.full(1, Counting.calls, np.float32), 1.0, False, False, {}


@pytest.mark.thorough
def test_an_environment_that_does_not_replay_is_told_apart_and_begins_anew(tmp_path, capsys):
    make = lambda: gymnasium.wrappers.TimeLimit(Counting(), 10)
    trained(tmp_path, make, evaluations=0, callbacks=[until(1)])
    rest = logpi.resume(tmp_path, env=make, steps=128)
    assert "4 of 4 environments" in capsys.readouterr().err
    assert rest.metrics[-1]["return_max"] == 10  # what was lost is not counted: no episode is longer than its limit


@pytest.mark.thorough
def test_a_vector_environment_begins_new_episodes_and_that_is_said(tmp_path, capsys):
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    copies = [lambda: gymnasium.make("CartPole-v1")] * 4
    make = lambda: gymnasium.vector.SyncVectorEnv(copies, autoreset_mode=mode)
    trained(tmp_path, make(), evaluations=0, callbacks=[until(2)])
    rest = logpi.resume(tmp_path, env=make())
    assert "4 of 4 environments" in capsys.readouterr().err
    assert [row["steps"] for row in rest.metrics] == list(range(64, STEPS + 1, 64))


@pytest.mark.thorough
def test_other_networks_are_refused_by_leaf_and_other_tasks_by_their_spaces(tmp_path):
    trained(tmp_path, steps=64)
    said = read_json(tmp_path / "run.json")
    changes = {
        r"layers\[0\].* was saved as float32 \(4, 8\), expected float32 \(4, 4\)": {
            "settings": said["settings"] | {"hidden": [4]}
        },
        r"its observation is Box\(3,\).*that of the run Box\(4,\)": {"environment": "logpi:Pendulum-v1"},
    }
    for message, change in changes.items():
        (tmp_path / "run.json").write_text(json.dumps(said | change))
        with pytest.raises(logpi.LogpiError, match=message):
            logpi.resume(tmp_path, steps=128)


def send(number):
    os.kill(os.getpid(), number)


def during_compile(monkeypatch, number):
    whole = driver.make_loop
    monkeypatch.setattr(driver, "make_loop", lambda *a, **k: (send(number), whole(*a, **k))[1])


def during_rollout(monkeypatch, number):
    from logpi.environments.adapters.gymnasium import Gymnasium

    step, calls = Gymnasium.step, []
    sent = lambda self, *a: (calls.append(0), send(number) if len(calls) == 40 else None, step(self, *a))[2]
    monkeypatch.setattr(Gymnasium, "step", sent)


def during_update(monkeypatch, number):
    get, calls = jax.device_get, []
    sent = lambda tree: (calls.append(0), send(number) if len(calls) == 8 else None, get(tree))[2]
    monkeypatch.setattr(host.jax, "device_get", sent)


def during_evaluation(monkeypatch, number):
    whole = driver.evaluation_of_plan
    monkeypatch.setattr(
        driver, "evaluation_of_plan", lambda *a: lambda policy, run=whole(*a): (send(number), run(policy))[1]
    )


def during_save(monkeypatch, number):
    write, calls = checkpoint.write_new_file, []
    sent = lambda *a: (calls.append(0), send(number) if len(calls) == 6 else None, write(*a))[2]
    monkeypatch.setattr(checkpoint, "write_new_file", sent)


PHASES = [during_compile, during_rollout, during_update, during_evaluation, during_save]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"), "CartPole-v1", checkpoint_seconds=0)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("number", mostly_slow([signal.SIGTERM, signal.SIGINT]), ids=["TERM", "INT"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_in_any_phase_leaves_a_run_that_goes_on(tmp_path, whole, phase, number):
    before = signal.getsignal(number)
    end = SystemExit if number == signal.SIGTERM else KeyboardInterrupt
    with pytest.MonkeyPatch.context() as patch, pytest.raises(end) as ended:
        phase(patch, number)
        trained(tmp_path, "CartPole-v1", checkpoint_seconds=0)
    assert number != signal.SIGTERM or ended.value.code == 143
    assert signal.getsignal(number) is before
    assert read_json(tmp_path / "run.json")["status"] == "interrupted"
    assert len(read_metrics(tmp_path / "metrics.jsonl")) < 10
    assert fingerprint(logpi.resume(tmp_path)) == fingerprint(whole)


def in_a_call(monkeypatch, answer, after):
    """Call `answer` at the end of the n-th call on the device, when it has used up the carry that it was given."""
    run, calls = device.DeviceLoop.run, []

    def run_and_answer(self, carry, budget):
        calls.append(budget)
        done = run(self, carry, budget)
        return (answer() if len(calls) == after else None, done)[1]

    monkeypatch.setattr(device.DeviceLoop, "run", run_and_answer)


@pytest.fixture(scope="module")
def whole_on_the_device(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"), evaluations=0)


@pytest.mark.thorough
@pytest.mark.parametrize("number", mostly_slow([signal.SIGTERM, signal.SIGINT]), ids=["TERM", "INT"])
def test_a_signal_during_a_call_on_the_device_keeps_all_of_its_iterations(
    tmp_path, monkeypatch, whole_on_the_device, number
):
    with monkeypatch.context() as patch, pytest.raises((SystemExit, KeyboardInterrupt)):
        in_a_call(patch, lambda: send(number), after=2)
        trained(tmp_path / "ended", evaluations=0, checkpoint_seconds=1000)
    rows = read_metrics(tmp_path / "ended" / "metrics.jsonl")
    assert 2 < len(rows) < 10  # two calls, of more than one iteration
    assert (tmp_path / "ended" / "checkpoints" / f"iteration-{len(rows):09d}").exists()
    assert fingerprint(logpi.resume(tmp_path / "ended")) == fingerprint(whole_on_the_device)


@pytest.mark.thorough
def test_an_error_in_a_call_on_the_device_leaves_what_was_saved_before(tmp_path, monkeypatch, whole_on_the_device):
    def fail():
        raise RuntimeError("no memory left")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="no memory left"):
        in_a_call(patch, fail, after=2)
        trained(tmp_path, evaluations=0, checkpoint_seconds=1000)
    assert read_json(tmp_path / "run.json")["status"] == "failed"
    assert fingerprint(logpi.resume(tmp_path)) == fingerprint(whole_on_the_device)


@pytest.mark.thorough
def test_what_was_trained_before_an_error_is_kept(tmp_path):
    def fails(record):
        if record["iteration"] == 3:
            raise RuntimeError("my own mistake")

    with pytest.raises(RuntimeError, match="my own mistake"):
        trained(tmp_path / "failed", callbacks=[fails])
    assert read_json(tmp_path / "failed" / "run.json")["status"] == "failed"
    whole = trained(tmp_path / "whole")
    assert fingerprint(logpi.resume(tmp_path / "failed")) == fingerprint(whole)


@pytest.mark.thorough
def test_a_full_disk_is_said_and_the_older_checkpoint_stays(tmp_path, capsys):
    import resource

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def full(record):
        limit = 1024 if 3 <= record["iteration"] < 10 else before[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))

    try:
        run = trained(tmp_path / "full", checkpoint_seconds=0, callbacks=[full], evaluations=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert capsys.readouterr().err.count("training goes on") == 1
    names = sorted(p.name for p in (tmp_path / "full" / "checkpoints").iterdir())
    assert names == [f"iteration-{i:09d}" for i in (2, 3, 10)]
    assert fingerprint(run)[0] == fingerprint(trained(tmp_path / "whole"))[0]
    assert fingerprint(logpi.load(tmp_path / "full"))[0] == fingerprint(run)[0]
