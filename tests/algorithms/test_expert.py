"""Cloning in the one loop: the expert acts, the learner comes to act alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_runs import fingerprint

import logpi
from logpi.cli.main import main

TASK = "logpi:CartPole-v1"


@pytest.fixture(scope="module")
def expert(tmp_path_factory):
    """A run whose policy leans, a little, on what it learned."""
    recipe = logpi.ppo(num_envs=16, num_steps=64, hidden=(8,), learning_rate=1e-2)
    out = tmp_path_factory.mktemp("expert") / "run"
    return logpi.train(TASK, recipe, steps=8192, evaluations=0, out=out)


def agreement(one, other, seen):
    """The share of observations at which two policies' modes are the same."""
    mode = lambda policy: jax.vmap(lambda obs: policy(obs).mode())(seen)
    return np.mean(mode(one) == mode(other))


@pytest.mark.slow
def test_the_clone_acts_as_the_expert_does_and_its_run_goes_on(expert, tmp_path):
    recipe = logpi.cloning(expert=str(expert.directory), num_envs=8, hidden=(8,), learning_rate=1e-2)
    whole = logpi.train(TASK, recipe, steps=8000, evaluations=0, out=tmp_path / "whole")
    seen = logpi.collect_episodes(expert.policy, TASK, episodes=4, seed=7)
    seen = seen.obs.reshape(-1, 4)[seen.valid.reshape(-1)]
    assert agreement(whole.policy, expert.policy, seen) > 0.9
    first = lambda record: record["iteration"] == 1
    logpi.train(TASK, recipe, steps=8000, evaluations=0, out=tmp_path / "ended", callbacks=[first])
    assert fingerprint(logpi.resume(tmp_path / "ended")) == fingerprint(whole)


@pytest.mark.slow
def test_mu_is_the_expert_whatever_is_learned(expert):
    method = logpi.PolicyGradient(logpi.TotalReturn(), logpi.score, logpi.Ascent(logpi.adam, 1e-2))
    imitating = logpi.ActsAsExpert(expert.policy, method)
    other = jax.tree.map(lambda x: x + 1 if jnp.issubdtype(x.dtype, jnp.floating) else x, expert.policy)
    assert imitating.behavior(imitating.init(other), jax.random.key(0)).policy is expert.policy


def test_without_an_expert_the_command_says_what_it_needs(tmp_path, capsys):
    assert main(["train", "CartPole-v1", "cloning", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "--expert DIR" in said and said.count("\n") == 1
    assert main(["train", "CartPole-v1", "cloning", "--expert", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "holds no run" in capsys.readouterr().err
