"""The meter of gradients: right on gradients that are known, and no part of what is learned."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from small_runs import fingerprint

import logpi
from logpi.algorithms.batch import gradient
from logpi.algorithms.gradient_noise import quality
from logpi.types import Trajectory

FIGURES = {"gradient_variance", "gradient_signal", "gradient_snr", "gradient_noise_scale"}


def test_two_gradients_by_hand():
    """ḡ = (2, 0); v = (1 + 1)/2 = 1; s = 4 − 1."""
    figures = quality(jnp.array([[1.0, 0.0], [3.0, 0.0]]), jnp.float32(12))
    assert figures == {
        "gradient_variance": 1.0,
        "gradient_signal": 3.0,
        "gradient_snr": 3.0,
        "gradient_noise_scale": 4.0,
    }


def test_variance_and_signal_are_unbiased():
    """Groups ~ N(μ, diag σ²): E v = Σ σ²/G and E s = ‖μ‖², within 4 standard errors over 20,000 draws."""
    mu, sigma, groups, draws = jnp.array([1.0, -2.0, 0.5]), jnp.array([1.0, 3.0, 0.5]), 4, 20_000
    g = mu[None, None] + sigma[None, None] * jr.normal(jr.key(0), (draws, groups, 3))
    figures = jax.vmap(lambda g: quality(g, jnp.float32(1)))(g)
    for name, exact in (("gradient_variance", jnp.sum(sigma**2) / groups), ("gradient_signal", jnp.sum(mu**2))):
        x = np.asarray(figures[name])
        assert abs(x.mean() - exact) < 4 * x.std() / np.sqrt(draws)


@functools.cache
def learner():
    """A method, its state and a batch of eight columns."""
    env = logpi.make("logpi:CartPole-v1", 8)
    seen, actions = env.spec.observation_space, env.spec.action_space
    method = logpi.PolicyGradient(
        logpi.RewardToGo(0.9), logpi.score, logpi.Ascent(logpi.adam, 1e-2), collect=logpi.Episodes()
    )
    policy = logpi.mlp_policy(seen, actions, hidden=(4,), key=jr.key(0))
    tau = logpi.collect_episodes(policy, "logpi:CartPole-v1", episodes=8)
    return method, method.init(policy), tau


@pytest.mark.thorough
def test_the_groups_mean_is_the_gradient_of_the_batch():
    method, state, tau = learner()
    figures = logpi.GradientNoiseMeter(method, 4).learn(state, logpi.Behavior(state.policy), tau, jr.key(1))[1]
    whole = ravel_pytree(gradient(method.credit, method.objective, state, tau))[0]
    both = figures["gradient_signal"] + figures["gradient_variance"]
    np.testing.assert_allclose(both, jnp.sum(whole**2), rtol=1e-4)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("groups", [3, 9, 1])
def test_groups_that_would_be_unequal_are_refused(groups):
    method, state, tau = learner()
    with pytest.raises(logpi.LogpiError, match=f"noise_scale_groups is {groups}; allowed: a divisor of the 8 columns"):
        logpi.GradientNoiseMeter(method, groups).learn(state, logpi.Behavior(state.policy), tau, jr.key(1))


@pytest.mark.slow
def test_what_is_learned_is_the_same_with_the_meter_and_without(tmp_path):
    tiny = {"num_envs": 4, "num_steps": 16, "epochs": 2, "minibatch_size": 16, "hidden": (8,)}
    train = lambda recipe, name: logpi.train("logpi:CartPole-v1", recipe, steps=256, evaluations=0, out=tmp_path / name)
    plain, metered = train(logpi.ppo(**tiny), "plain"), train(logpi.ppo(**tiny, noise_scale_groups=4), "metered")
    assert fingerprint(plain)[0] == fingerprint(metered)[0]
    assert set(metered.metrics[0]) - set(plain.metrics[0]) == FIGURES


def test_methods_without_scores_have_no_meter(tmp_path):
    with pytest.raises(logpi.LogpiError, match="noise_scale_groups is 2; allowed: none"):
        logpi.train("logpi:CartPole-v1", logpi.regression(noise_scale_groups=2), steps=1, out=tmp_path)


class Table(eqx.Module):
    """π of two actions in four states, of which the first entry of the observation is the number."""

    logits: jax.Array

    def __call__(self, obs):
        return logpi.Categorical(self.logits[obs[0]])


def test_a_group_is_neighboring_columns_and_the_metrics_are_of_their_gradients():
    """Six columns of five rows in two groups and in three: the gradients of the parts, one by one."""
    k_obs, k_action, k_reward = jr.split(jr.key(0), 3)
    obs, action = jr.randint(k_obs, (5, 6, 2), 0, 4), jr.randint(k_action, (5, 6), 0, 2)
    reward, no = jr.normal(k_reward, (5, 6)), jnp.zeros((5, 6), bool)
    time = jnp.broadcast_to(jnp.arange(5, dtype=jnp.int32)[:, None], (5, 6))
    tau = Trajectory(obs, action, jnp.zeros((5, 6)), reward, obs, time, time == 4, no, ~no, complete=True)
    method = logpi.PolicyGradient(logpi.RewardToGo(0.9), logpi.score, logpi.Ascent(logpi.adam, 1e-2))
    state = method.init(Table(jr.normal(jr.key(1), (4, 2))))
    for groups in (2, 3):
        columns = jnp.split(jnp.arange(6), groups)
        part = lambda c: jax.tree.map(lambda x: x[:, c], tau)
        parts = [ravel_pytree(gradient(method.credit, method.objective, state, part(c)))[0] for c in columns]
        expected = quality(jnp.stack(parts), jnp.float32(30))
        metrics = logpi.GradientNoiseMeter(method, groups)._metrics(state, tau)
        for name in FIGURES:
            np.testing.assert_allclose(metrics[name], expected[name], rtol=1e-4)
