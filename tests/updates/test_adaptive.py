"""Penalties and rates that find their own size."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import CHOICES, at, batch, bits, policy, stirred

from logpi.distributions.categorical import Categorical
from logpi.distributions.divergence import reverse
from logpi.objectives.importance import importance
from logpi.objectives.penalized import Divergence, Penalized
from logpi.updates.adaptive import AdaptivePenalty, AdaptiveRate
from logpi.updates.ascent import Ascent


class Moved:
    """An update that moves the policy where `move(policy, key)` says, whatever the objective."""

    def __init__(self, move):
        self.move = move

    def init(self, params):
        return ()

    def __call__(self, objective, params, batch, opt, key):
        return self.move(params, key), opt, {}


def kl(pi, new, rows):
    return float(at(pi, rows.obs, 1).kl(at(new, rows.obs, 1)).mean())


@pytest.mark.parametrize(("share", "factor"), [(0.5, 2.0), (1.0, 1.0), (2.0, 0.5)], ids=["too far", "well", "too near"])
def test_the_penalty_doubles_or_halves(share, factor, key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    moved = kl(pi, stirred(pi, jr.key(1), 0.1), rows)
    update = AdaptivePenalty(Moved(lambda pi, key: stirred(pi, key, 0.1)), target=share * moved, penalty=3.0)
    _, (beta, _), info = update(importance, pi, rows, update.init(pi), jr.key(1))
    np.testing.assert_allclose(beta, 3.0 * factor)
    np.testing.assert_allclose(info["penalty"], 3.0)


def test_what_it_improves_is_the_penalized_objective(key):
    pi = policy(CHOICES, key)
    rows, ascent = batch(pi, jr.key(5)), Ascent(optax.sgd, 0.5, epochs=3)
    adaptive = AdaptivePenalty(ascent, target=0.01, penalty=2.0)
    one = adaptive(importance, pi, rows, adaptive.init(pi), jr.key(1))[0]
    other = ascent(Penalized(2.0), pi, rows, ascent.init(pi), jr.key(1))[0]
    assert bits(one) == bits(other)


@pytest.mark.parametrize(("share", "factor"), [(0.4, 1 / 1.5), (1.0, 1.0), (3.0, 1.5)], ids=["too far", "well", "near"])
def test_the_rate_follows_the_divergence(share, factor, key):
    pi = policy(CHOICES, key)
    rows, ascent = batch(pi, jr.key(5)), Ascent(optax.sgd, 0.003)
    new = ascent(importance, pi, rows, ascent.init(pi), jr.key(1))[0]
    update = AdaptiveRate(ascent, target=share * kl(pi, new, rows))
    same, (rate, _), info = update(importance, pi, rows, update.init(pi), jr.key(1))
    assert bits(same) == bits(new)
    np.testing.assert_allclose(rate, 0.003 * factor, rtol=1e-5)
    np.testing.assert_allclose(info["learning_rate"], 0.003)


class Fixed(eqx.Module):
    """A policy that sees nothing: a distribution over three actions."""

    logits: jax.Array

    def __call__(self, obs):
        return Categorical(self.logits)


EVEN, DECIDED = Fixed(jnp.zeros(3)), Fixed(jnp.array([9.0, 0.0, 0.0]))


@pytest.mark.parametrize(("old", "new", "factor"), [(EVEN, DECIDED, 2.0), (DECIDED, EVEN, 0.5)], ids=["more", "less"])
def test_the_divergence_measured_is_that_from_the_old_policy(old, new, factor):
    """KL(even‖decided) = 4.9 is beyond a target of 2.3, KL(decided‖even) = 1.1 is below it."""
    rows = batch(old, jr.key(5))
    update = AdaptivePenalty(Moved(lambda pi, key: new), target=2.3, penalty=3.0)
    np.testing.assert_allclose(update(importance, old, rows, update.init(old), jr.key(1))[1][0], 3.0 * factor)


def test_the_rate_stays_within_its_bounds(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    update = AdaptiveRate(Ascent(optax.sgd, 0.009), target=1e6)
    opt = update.init(pi)
    for _ in range(3):
        _, opt, _ = update(importance, pi, rows, opt, jr.key(1))
    np.testing.assert_allclose(opt[0], 0.01)


def test_the_other_direction_of_kl_is_penalized_and_measured(key):
    """One step of ascent on J − β KL(π‖π_old), by hand; and β follows that KL, which is far from the other one."""
    pi = policy(CHOICES, key)
    rows = batch(pi, jr.key(5))
    start, ascent = stirred(pi, jr.key(1), 0.5), Ascent(optax.sgd, 0.1)
    wanted, _, _ = ascent(Penalized(2.0, reverse), start, rows, ascent.init(start), jr.key(2))
    forward_kl, reverse_kl = kl(pi, wanted, rows), float(at(wanted, rows.obs, 1).kl(at(pi, rows.obs, 1)).mean())
    target = np.sqrt(forward_kl * reverse_kl)
    update = AdaptivePenalty(ascent, target=target, penalty=2.0, direction=reverse)
    new, (beta, _), _ = update(importance, start, rows, update.init(start), jr.key(2))
    for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    ratio = reverse_kl / target
    np.testing.assert_allclose(beta, 2.0 * (2 if ratio > 1.5 else 0.5 if ratio < 1 / 1.5 else 1))
    by_hand = jnp.mean(at(start, rows.obs, 1).kl(at(pi, rows.obs, 1)))
    np.testing.assert_allclose(Divergence(reverse).evaluate(start, rows), by_hand, rtol=1e-5)
