"""LQR: the exact utility and gradient against definitions, finite differences and sampled episodes."""

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import close
from jax.flatten_util import ravel_pytree
from worlds import numeric

from logpi.errors import LogpiError
from logpi.oracle.lqr import LQR, LinearGaussian


def regulator(horizon=None, gamma=0.9):
    """Two coupled states, one control."""
    array = lambda x: jnp.asarray(np.array(x), float)
    return LQR(
        dynamics=array([[1.0, 0.2], [-0.1, 0.9]]),
        control=array([[0.0], [0.5]]),
        state_cost=array([[1.0, 0.1], [0.1, 0.5]]),
        control_cost=array([[0.3]]),
        noise=array([[0.02, 0.01], [0.01, 0.05]]),
        initial=array([[1.0, -0.2], [-0.2, 0.5]]),
        gamma=gamma,
        horizon=horizon,
    )


def linear():
    return LinearGaussian(jnp.asarray(np.array([[-0.3, -0.6]]), float), jnp.asarray(np.array([-0.7]), float))


@pytest.fixture(params=[None, 1, 7], ids=["infinite", "one step", "seven steps"])
def lqr(double, request):
    return regulator(request.param)


@pytest.mark.thorough_after(1)
def test_gradient_is_that_of_finite_differences(lqr):
    flat, unravel = ravel_pytree(linear())
    by_steps = numeric(lambda theta: lqr.utility(unravel(theta)), flat)
    np.testing.assert_allclose(ravel_pytree(lqr.gradient(linear()))[0], by_steps, rtol=1e-6, atol=1e-8)


def test_a_long_horizon_is_an_infinite_one(double):
    close(regulator(400).gradient(linear()), regulator().gradient(linear()), rtol=1e-9)
    np.testing.assert_allclose(regulator(400).utility(linear()), regulator().utility(linear()), rtol=1e-11)


def test_a_scalar_regulator_by_hand(double):
    """x' = x + u, u = −x/2 without noise: J = −Σ_t γ^t 4^{−t} (1 + 1/4) = −1.25/(1 − γ/4); with σ, −σ²(…) more."""
    one = jnp.ones((1, 1))
    lqr = LQR(one, one, one, one, 0 * one, one, 0.8)
    still = LinearGaussian(-0.5 * one, jnp.full(1, -40.0))
    np.testing.assert_allclose(lqr.utility(still), -1.25 / 0.8, rtol=1e-12)
    noisy = LinearGaussian(-0.5 * one, jnp.zeros(1))
    np.testing.assert_allclose(lqr.utility(noisy), -1.25 / 0.8 * (1 + 0.8 / 0.2) - 1 / 0.2, rtol=1e-12)


def test_the_riccati_gain_is_a_stationary_point(double):
    """Where P = Q + γ AᵀPA − γ² AᵀPB (R + γ BᵀPB)⁻¹ BᵀPA, ∇_K J = 0, and ∇_{log σ} J < 0 everywhere."""
    lqr = regulator()
    a, b, q, r = (np.asarray(x) for x in (lqr.dynamics, lqr.control, lqr.state_cost, lqr.control_cost))
    p = q
    for _ in range(500):
        gain = -0.9 * np.linalg.solve(r + 0.9 * b.T @ p @ b, b.T @ p @ a)
        p = q + gain.T @ r @ gain + 0.9 * (a + b @ gain).T @ p @ (a + b @ gain)
    gradient = lqr.gradient(dataclasses.replace(linear(), gain=jnp.asarray(gain)))
    np.testing.assert_allclose(gradient.gain, 0, atol=1e-11)
    assert gradient.log_std[0] < 0


def test_what_diverges_is_worth_minus_infinity(double):
    """√γ ρ(A + BK) ≥ 1: the sum of costs has no limit, though the linear system has a solution."""
    wild = dataclasses.replace(linear(), gain=jnp.array([[9.0, 9.0]]))
    assert regulator().utility(wild) == -jnp.inf and jnp.isfinite(regulator(7).utility(wild))


def episodes(lqr, policy, key, count):
    """(rewards γ^t r_t [count, H], ∇log π(u_t|x_t) [count, H, P]) of episodes in which the policy itself acts."""

    def one(key):
        k_start, key = jr.split(key)

        def step(x, key):
            k_action, k_noise = jr.split(key)
            u = policy(x).sample(k_action)
            reward = -x @ lqr.state_cost @ x - u @ lqr.control_cost @ u
            score = ravel_pytree(jax.grad(lambda p: p(x).log_prob(u))(policy))[0]
            after = lqr.dynamics @ x + lqr.control @ u + jr.multivariate_normal(k_noise, jnp.zeros(2), lqr.noise)
            return after, (reward, score)

        start = jr.multivariate_normal(k_start, jnp.zeros(2), lqr.initial)
        return jax.lax.scan(step, start, jr.split(key, lqr.horizon))[1]

    reward, score = jax.jit(jax.vmap(one))(jr.split(key, count))
    return np.asarray(reward, float) * lqr.gamma ** np.arange(lqr.horizon), np.asarray(score, float)


@pytest.mark.thorough
def test_monte_carlo(key):
    """The mean return and the mean of Σ_t ∇log π_t Σ_{l≥t} γ^l r_l are within 4 standard errors."""
    lqr = regulator(3)
    policy = dataclasses.replace(linear(), gain=jnp.array([[0.5, 0.5]]))
    reward, score = episodes(lqr, policy, key, 100_000)
    to_go = np.cumsum(reward[:, ::-1], axis=1)[:, ::-1]
    estimates = np.einsum("nt,ntp->np", to_go - to_go.mean(axis=0), score)
    for samples, exact in ((to_go[:, 0], lqr.utility(policy)), (estimates, ravel_pytree(lqr.gradient(policy))[0])):
        error = samples.std(axis=0) / np.sqrt(len(samples))
        assert np.all(np.abs(samples.mean(axis=0) - np.asarray(exact)) < 4 * error)
        assert np.linalg.norm(error) < 0.05 * np.linalg.norm(np.asarray(exact))


def test_bad_regulators_are_refused(double):
    with pytest.raises(LogpiError, match=r"gamma is 1\.0; allowed"):
        regulator(gamma=1.0)
    with pytest.raises(LogpiError, match=r"noise has shape \(1, 1\); allowed: \(2, 2\)"):
        dataclasses.replace(regulator(), noise=jnp.ones((1, 1)))
    with pytest.raises(LogpiError, match="horizon is 0"):
        regulator(0)
    assert jnp.isfinite(regulator(3, 1.0).utility(linear()))
