"""V-trace: its definition as a double sum, what it reduces to, and what it converges to."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    Reading,
    TableCritic,
    TablePolicy,
    consistent,
    double_precision,
    evaluate,
    horizon,
    learner,
    random_windows,
    residual_by_definition,
)

from logpi.credit.gae import GAE
from logpi.credit.n_step import NStep
from logpi.credit.vtrace import VTrace
from logpi.distributions.categorical import Categorical

GAMMA = 0.9


class Seen(eqx.Module):
    """π that takes action 0 with probability ½ in every state: ρ is then ½ / exp(log μ)."""

    def __call__(self, obs):
        return Categorical(jnp.stack([obs * 0, obs * 0], axis=-1))


STATE = learner(Seen(), Reading())


def acted(tau, ratio):
    """The window with π/μ = ratio in every row."""
    return dataclasses.replace(consistent(tau), log_prob=jnp.asarray(np.log(0.5 / ratio), tau.reward.dtype))


def by_definition(tau, ratio, limit, trace_limit, gae_lambda):
    """(Φ, v) by eq. (1) of the paper: O(T²) sums of products."""
    delta, value = residual_by_definition(tau, GAMMA), np.asarray(tau.obs, np.float64)
    rho, c = np.minimum(limit, ratio), gae_lambda * np.minimum(trace_limit, ratio)
    v, phi = value.copy(), np.zeros_like(value)
    for t, n in np.ndindex(v.shape):
        for ahead in range(horizon(tau, t, n)):
            v[t, n] += GAMMA**ahead * np.prod(c[t : t + ahead, n]) * rho[t + ahead, n] * delta[t + ahead, n]
    for t, n in np.ndindex(v.shape):
        last = horizon(tau, t, n) == 1
        following = 0 if tau.terminated[t, n] else np.asarray(tau.next_obs)[t, n] if last else v[t + 1, n]
        phi[t, n] = rho[t, n] * (np.asarray(tau.reward)[t, n] + GAMMA * following - value[t, n])
    return phi, v


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(
    ("limit", "trace_limit", "gae_lambda"), [(1.0, 1.0, 1.0), (1.3, 0.8, 0.7), (np.inf, np.inf, 1.0)]
)
def test_equals_the_definition(limit, trace_limit, gae_lambda):
    with double_precision():
        for tau in random_windows(np.float64, (1, 2, 5, 9)):
            ratio = np.random.default_rng(1).uniform(0.3, 2.0, tau.reward.shape)
            tau = acted(tau, ratio)
            got = evaluate(VTrace(GAMMA, limit, trace_limit, gae_lambda), tau, STATE)
            for one, other in zip(got, by_definition(tau, ratio, limit, trace_limit, gae_lambda), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("limit", [1.0, np.inf])
def test_on_ones_own_data_it_is_gae_and_the_n_step_return(limit):
    """π = μ: Φ and target are those of λ = 1, which are n-step's for n = T."""
    with double_precision():
        for tau in random_windows(np.float64, (1, 3, 8)):
            tau = acted(tau, np.ones(tau.reward.shape))
            got = evaluate(VTrace(GAMMA, limit, limit), tau, STATE)
            for other in (GAE(GAMMA, 1.0), NStep(GAMMA, 8)):
                for one, two in zip(got, evaluate(other, tau, STATE), strict=True):
                    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-10)


@pytest.mark.thorough
def test_with_a_decay_its_target_is_the_lambda_return():
    with double_precision():
        for tau in random_windows(np.float64, (1, 3, 8)):
            tau = acted(tau, np.ones(tau.reward.shape))
            got, want = (evaluate(c, tau, STATE)[1] for c in (VTrace(GAMMA, gae_lambda=0.6), GAE(GAMMA, 0.6)))
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_where_the_policy_would_never_have_acted_so_nothing_is_learned():
    """π/μ → 0: Φ = 0 and the target is V itself."""
    tau = acted(next(iter(random_windows(lengths=(5,)))), np.full((5, 34), 1e-12))
    phi, target = evaluate(VTrace(GAMMA), tau, STATE)
    np.testing.assert_allclose(phi, 0, atol=1e-7)
    np.testing.assert_allclose(target, tau.obs, atol=1e-6)


def test_it_reads_the_policy_of_the_state():
    """The ratio is π/μ of the learner's policy at the row's observation and action."""
    tau = next(iter(random_windows(lengths=(4,))))
    obs = jnp.zeros(tau.reward.shape, jnp.int32)
    tau = dataclasses.replace(tau, obs=obs, next_obs=obs, log_prob=jnp.full(tau.reward.shape, np.log(0.5), jnp.float32))
    table = jnp.array([[1.0, 0.0]])
    phi, _ = evaluate(VTrace(0.0, np.inf), tau, learner(TablePolicy(table), TableCritic(jnp.zeros(1))))
    np.testing.assert_allclose(phi, 2 * jax.nn.softmax(table[0])[0] * tau.reward, rtol=1e-5)
