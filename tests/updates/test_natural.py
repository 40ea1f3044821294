"""The steepest step between policies: the same whatever the parameters, and as long in KL as it was asked to be."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, VECTORS, at, batch, bits, policy, replaced
from helpers import double_precision, mostly_slow

import logpi
from logpi.distributions.gaussian import Gaussian
from logpi.objectives.score import score
from logpi.policies.critic import ActorCritic
from logpi.types import ravel
from logpi.updates.fisher import fisher_product
from logpi.updates.natural import NaturalGradient

KEY = jr.key(0)


@eqx.filter_jit
def step(update, params, rows, objective=score):
    return update(objective, params, rows, update.init(params), KEY)


@eqx.filter_jit
def mean_kl(old, new, rows):
    return at(old, rows.obs, 1).kl(at(new, rows.obs, 1)).mean()


@pytest.mark.parametrize("thinning", mostly_slow([4, 1]), ids=["every fourth row", "all rows"])
@pytest.mark.parametrize("actions", mostly_slow([CHOICES, VECTORS]), ids=["categorical", "gaussian"])
def test_equals_the_formula_with_a_dense_inverse(actions, thinning, key):
    pi = policy(actions, key, hidden=(4,))
    rows, delta, damping = batch(pi, jr.key(5), (64,)), 0.01, 0.1
    theta, unravel = ravel(pi)
    g = jax.jit(jax.grad(lambda v: score.evaluate(unravel(v), rows)))(theta)
    some = jax.tree.map(lambda x: x[::thinning] if x.ndim else x, rows)
    f = jax.jit(jax.vmap(fisher_product(unravel, theta, some, damping)))(jnp.eye(theta.size))
    x = jnp.linalg.solve(f, g)
    expected = theta + jnp.sqrt(2 * delta / (g @ x)) * x
    new, _, info = step(NaturalGradient(delta, 60, damping, thinning), pi, rows)
    np.testing.assert_allclose(ravel(new)[0], expected, atol=2e-5)
    assert info["cg_residual"] < 1e-3
    np.testing.assert_allclose(info["predicted_improvement"], g @ (expected - theta), rtol=1e-3)


@pytest.mark.parametrize("actions", mostly_slow([CHOICES, VECTORS]), ids=["categorical", "gaussian"])
def test_the_divergence_tends_to_delta_as_delta_shrinks(actions, key):
    with double_precision():
        pi = policy(actions, key, hidden=(4,))
        rows = batch(pi, jr.key(5), (64,))
        rows = replaced(rows, scale=jnp.asarray(64.0))
        errors = []
        for delta in (1e-6, 1e-8):
            new, _, _ = step(NaturalGradient(delta, 100, damping=1e-9), pi, rows)
            errors.append(abs(float(mean_kl(pi, new, rows)) / delta - 1))
    assert errors[1] < 1e-3
    np.testing.assert_allclose(errors[1] / errors[0], 0.1, rtol=0.2)  # what is left is of order √δ


def reparameterized(weight, mixing):
    """A Gaussian policy with mean Mφ · obs: the same for every invertible M, with other parameters φ."""

    class Mixed(eqx.Module):
        phi: jax.Array

        def __call__(self, obs):
            return Gaussian((mixing @ self.phi).reshape(2, 3) @ obs, jnp.zeros(2))

    return Mixed(jnp.linalg.solve(mixing, weight))


def test_the_new_policy_does_not_depend_on_the_parameters(key):
    """∆log π on a grid of states and actions, from φ and from Mφ; an ordinary gradient step must differ."""
    with double_precision():
        k_weight, k_mixing, k_grid, k_action = jr.split(key, 4)
        weight = jr.normal(k_weight, (6,))
        mixing = jnp.eye(6) + 0.4 * jr.normal(k_mixing, (6, 6))
        plain, mixed = reparameterized(weight, jnp.eye(6)), reparameterized(weight, mixing)
        rows = replaced(batch(plain, jr.key(5), (256,)), scale=jnp.asarray(256.0))
        grid, action = jr.normal(k_grid, (50, 3)), jr.normal(k_action, (50, 2))
        change = lambda old, new: at(new, grid, 1).log_prob(action) - at(old, grid, 1).log_prob(action)

        natural = [change(p, step(NaturalGradient(1e-3, 50, damping=0.0), p, rows)[0]) for p in (plain, mixed)]
        np.testing.assert_allclose(natural[0], natural[1], atol=1e-4)

        sgd = logpi.NormConstrainedStep.with_length(0.05)
        ordinary = [change(p, step(sgd, p, rows)[0]) for p in (plain, mixed)]
        assert jnp.linalg.norm(ordinary[0] - ordinary[1]) > 0.1 * jnp.linalg.norm(ordinary[0])


def test_a_zero_gradient_makes_no_step(key):
    pi = policy(CHOICES, key)
    rows = replaced(batch(pi, jr.key(5)), credit=jnp.zeros(24))
    new, _, info = step(NaturalGradient(0.01), pi, rows)
    assert bits(new) == bits(pi) and info["step_norm"] == 0 and info["skipped_updates"] == 0


def test_what_is_not_finite_makes_no_step_and_is_counted(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    rows = replaced(rows, credit=rows.credit.at[3].set(jnp.inf))
    new, _, info = step(NaturalGradient(0.01), pi, rows)
    assert bits(new) == bits(pi) and info["skipped_updates"] == 1


def test_a_joint_fit_is_refused(key):
    pi = policy(CHOICES, key)
    with pytest.raises(logpi.LogpiError, match="fit of its own"):
        NaturalGradient(0.01).init(ActorCritic(pi, pi))
