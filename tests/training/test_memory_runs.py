"""Runs of policies that remember: learned, ended, resumed, evaluated and exported as any other."""

import runpy

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import mostly_slow
from small_runs import TINY, fingerprint

import logpi
from logpi.cli.main import main

STEPS = 6 * 64
REMEMBERS = TINY | {"memory": "gru", "memory_size": 8, "sequence_length": 8, "normalize_observations": True}


def trained(out, env, recipe, **changes):
    return logpi.train(env, recipe, **{"steps": STEPS, "seed": 1, "evaluations": 0, "out": out} | changes)


@pytest.fixture(scope="module")
def on_the_host(tmp_path_factory):
    """A run in this process."""
    return trained(tmp_path_factory.mktemp("host") / "run", "CartPole-v1", logpi.ppo(**REMEMBERS))


def test_workers_change_no_bit_and_neither_do_an_end_and_a_resume(tmp_path, on_the_host):
    trained(tmp_path / "ended", "CartPole-v1", logpi.ppo(**REMEMBERS), workers=2, callbacks=[until(3)])
    rest = logpi.resume(tmp_path / "ended", workers=2)
    assert fingerprint(rest) == fingerprint(on_the_host)


def until(iteration):
    return lambda record: record["iteration"] == iteration


@pytest.mark.thorough
def test_a_run_on_the_device_goes_on_as_if_it_had_not_ended(tmp_path):
    whole = trained(tmp_path / "whole", "logpi:CartPole-v1", logpi.ppo(**REMEMBERS))
    trained(tmp_path / "ended", "logpi:CartPole-v1", logpi.ppo(**REMEMBERS), callbacks=[until(3)])
    assert fingerprint(logpi.resume(tmp_path / "ended")) == fingerprint(whole)


def test_what_was_trained_is_loaded_evaluated_and_exported(tmp_path, on_the_host, capsys):
    assert main(["evaluate", str(on_the_host.directory), "--episodes", "2"]) == 0
    assert main(["export", str(on_the_host.directory), "--out", str(tmp_path / "policy.py")]) == 0
    policy, module = logpi.load(on_the_host.directory).policy, runpy.run_path(str(tmp_path / "policy.py"))
    memory, exported = policy.initial(), module["initial"]()
    for obs in np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32):
        pi, memory = policy(jnp.asarray(obs), memory)
        action, exported = module["act"](obs, exported)
        assert action == pi.mode()
        np.testing.assert_allclose(exported[0], memory, atol=1e-5)


METHODS = {
    "reinforce": logpi.reinforce(num_envs=2, hidden=(8,), episodes=1, max_episode_steps=20),
    "vpg": logpi.vpg(num_envs=4, num_steps=16, hidden=(8,)),
    "a2c": logpi.a2c(num_envs=4, num_steps=16, hidden=(8,), sequence_length=4),
    "npg": logpi.npg(num_envs=4, num_steps=16, hidden=(8,)),
    "trpo": logpi.trpo(num_envs=4, num_steps=16, hidden=(8,)),
    "ppo-kl": logpi.ppo_kl(num_envs=4, num_steps=16, hidden=(8,), minibatch_size=16, epochs=2, sequence_length=8),
    "off-policy": logpi.off_policy(num_envs=4, num_steps=16, hidden=(8,), epochs=2),
    "evolution": logpi.evolution(num_envs=4, hidden=(4,), max_episode_steps=20),
    "finite-difference": logpi.finite_difference(num_envs=4, hidden=(2,), max_episode_steps=20),
    "separate": logpi.ppo(**TINY, separate_optimizers=True),
    "meter": logpi.ppo(**TINY, noise_scale_groups=2),
}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("env", "method"),
    mostly_slow(
        [
            *(("logpi:CartPole-v1", method) for method in METHODS),
            ("CartPole-v1", "reinforce"),
            ("CartPole-v1", "evolution"),
        ],
        [*(("logpi:CartPole-v1", method) for method in ("a2c", "trpo", "off-policy")), ("CartPole-v1", "evolution")],
    ),
)
def test_every_method_learns_with_a_memory(tmp_path, env, method):
    """Two iterations: finite, and with a step that moved the policy."""
    run = trained(tmp_path / "run", env, METHODS[method].with_options(memory="gru", memory_size=4), steps=160)
    assert all(np.isfinite(row["kl"]) for row in run.metrics)
    assert run.metrics[-1].get("skipped_updates", 0) in (0, None) or method in ("evolution", "finite-difference")


@pytest.mark.thorough
def test_seeds_side_by_side_remember_apart(tmp_path):
    """Two seeds in one program end as each does alone."""
    options = {"memory": "mingru", "memory_size": 4, "num_envs": 4, "num_steps": 16, "hidden": (8,)}
    changes = {"steps": 256, "evaluations": 0}
    together = logpi.train_seeds(
        "logpi:CartPole-v1", logpi.ppo(**options), seeds=[0, 1], out=tmp_path / "both", **changes
    )
    alone = trained(tmp_path / "one", "logpi:CartPole-v1", logpi.ppo(**options), **changes)
    np.testing.assert_allclose(together[1].policy.core.weight, alone.policy.core.weight, atol=1e-5)
