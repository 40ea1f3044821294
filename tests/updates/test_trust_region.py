"""A step is taken as far as it can be trusted, or not at all."""

import dataclasses

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import CHOICES, VECTORS, at, batch, bits, policy, replaced
from helpers import mostly_slow

import logpi
from logpi.core.trees import scan
from logpi.distributions.divergence import reverse
from logpi.loop.iteration import init_carry, run_iteration
from logpi.objectives.base import Objective
from logpi.objectives.importance import importance
from logpi.types import ravel
from logpi.updates.natural import NaturalGradient
from logpi.updates.trust_region import TrustRegion

KEY = jr.key(0)


def step(update, params, rows, objective=importance):
    return update(objective, params, rows, update.init(params), KEY)


def mean_kl(old, new, rows):
    return float(at(old, rows.obs, 1).kl(at(new, rows.obs, 1)).mean())


@pytest.mark.parametrize("actions", mostly_slow([CHOICES, VECTORS]), ids=["categorical", "gaussian"])
def test_an_accepted_step_improves_and_stays_inside(actions, key):
    pi = policy(actions, key)
    rows = batch(pi, jr.key(5), (64,))
    new, _, info = step(TrustRegion(0.01), pi, rows)
    assert info["accepted_steps"] == 1
    assert mean_kl(pi, new, rows) <= 0.01 + 1e-6
    gain = importance.evaluate(new, rows) - importance.evaluate(pi, rows)
    assert gain >= 0
    np.testing.assert_allclose(info["surrogate_improvement"], gain, atol=1e-6)


def test_the_first_length_that_will_do_is_taken(key):
    """With the natural step's direction known, the length is ratioⁱ of it for the smallest i that passes."""
    pi = policy(VECTORS, key)
    rows = batch(pi, jr.key(5), (64,))
    full = ravel(step(NaturalGradient(0.05, damping=0.0), pi, rows)[0])[0] - ravel(pi)[0]
    update = TrustRegion(0.05, damping=0.0, backtrack_ratio=0.9)
    new, _, info = step(update, pi, rows)
    i = int(info["backtracks"])
    theta, unravel = ravel(pi)
    np.testing.assert_allclose(ravel(new)[0], theta + 0.9**i * full, atol=1e-5)
    for j in range(i):
        tried = unravel(theta + 0.9**j * full)
        assert mean_kl(pi, tried, rows) > 0.05 or importance.evaluate(tried, rows) < importance.evaluate(pi, rows)


def test_accepting_the_full_step_is_the_natural_gradient(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5), (64,))
    new, _, info = step(TrustRegion(1e-4, damping=0.1), pi, rows)
    assert info["backtracks"] == 0
    np.testing.assert_allclose(
        ravel(new)[0], ravel(step(NaturalGradient(1e-4, damping=0.1), pi, rows)[0])[0], atol=1e-7
    )


class Worse(Objective):
    """Has the gradient of an objective, and a value that falls wherever one goes."""

    start: jax.Array

    def __call__(self, outputs, batch):
        gone = ravel(outputs.params)[0] - self.start
        fall = 1e6 * jax.lax.stop_gradient(jnp.sum(jnp.abs(gone)))
        return importance(outputs, batch) - fall


def test_if_no_length_will_do_nothing_changes(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    new, _, info = step(TrustRegion(0.01), pi, rows, Worse(ravel(pi)[0]))
    assert bits(new) == bits(pi)
    assert info["accepted_steps"] == 0 and info["backtracks"] == 9 and info["surrogate_improvement"] == 0


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_what_is_not_finite_changes_nothing_and_is_counted(bad, key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    new, _, info = step(TrustRegion(0.01), pi, replaced(rows, credit=rows.credit.at[0].set(bad)))
    assert bits(new) == bits(pi) and info["skipped_updates"] == 1


def test_the_other_direction_of_kl_is_its_own_constraint(key):
    pi = policy(VECTORS, key)
    rows = batch(pi, jr.key(5), (64,))
    new, _, info = step(TrustRegion(0.2, divergence=reverse, damping=0.0), pi, rows)
    backward = float(at(new, rows.obs, 1).kl(at(pi, rows.obs, 1)).mean())
    assert info["accepted_steps"] == 1 and backward <= 0.2 + 1e-6
    assert abs(backward - mean_kl(pi, new, rows)) > 1e-4


@pytest.mark.thorough
@pytest.mark.parametrize("task", mostly_slow([logpi.CartPole(), logpi.Pendulum()]), ids=["CartPole", "Pendulum"])
def test_over_two_hundred_updates_every_accepted_step_is_safe(task):
    environment = logpi.Vmap(task, 4, 200)
    recipe = logpi.trpo(num_steps=100, critic_epochs=5)
    algorithm, policy, critic = recipe.build(environment.spec, recipe.settings("any"), jr.key(1))
    carry = init_carry(algorithm, environment, policy, critic, KEY)
    body = lambda carry, progress: run_iteration(algorithm, environment, carry, progress)
    info = jax.jit(lambda: scan(body, carry, jnp.zeros(200))[1])()
    accepted = info["accepted_steps"] == 1
    assert accepted.sum() > 150
    assert (info["kl"][accepted] <= 0.01 + 1e-6).all()
    assert (info["surrogate_improvement"][accepted] >= 0).all()
    assert (info["kl"][~accepted] == 0).all() and (info["step_norm"][~accepted] == 0).all()


@pytest.mark.thorough
def test_settings_are_numbers_that_can_be_swept(key):
    """One trace serves every δ."""
    pi = policy(CHOICES, key)
    rows, update = batch(pi, jr.key(5), (64,)), TrustRegion(0.01)
    moved = lambda delta: ravel(step(dataclasses.replace(update, max_kl=delta), pi, rows)[0])[0] - ravel(pi)[0]
    lengths = jnp.linalg.norm(jax.vmap(moved)(jnp.array([1e-4, 1e-3, 1e-2])), axis=1)
    assert (jnp.diff(lengths) > 0).all()
