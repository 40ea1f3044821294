"""A policy that several terms look at is asked once, forward and back."""

import jax
import numpy as np
import pytest
from builders import CHOICES, SEEN, batch, close, gradient, policy, replaced

from logpi.objectives.clipped import Clipped
from logpi.objectives.entropy import entropy
from logpi.objectives.evaluated import Evaluated, at_rows, evaluated
from logpi.objectives.penalized import Penalized
from logpi.objectives.score import score
from logpi.policies.action_critic import mlp_action_critic
from logpi.types import ravel


def products(objective, pi, rows):
    """How many matrix products its gradient takes, once compiled (as dots or as calls of a library's)."""
    theta, unravel = ravel(pi)
    program = jax.jit(jax.grad(lambda vector: objective(unravel(vector), rows))).lower(theta).compile()
    return program.as_text().count(" dot(")


@pytest.mark.parametrize("both", [Clipped(0.2) + 0.01 * entropy, Penalized(0.3), score + entropy + Clipped(0.1)])
def test_a_gradient_of_several_terms_takes_the_products_of_one(key, both):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    assert products(both, pi, rows) == products(score, pi, rows) > 0


def test_it_is_the_parameters_in_all_else(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    seen = evaluated(pi, rows)
    assert isinstance(seen, Evaluated) and evaluated(seen, rows) is seen
    assert at_rows(seen, rows) is seen.answer and seen.network is pi.network
    assert jax.tree.structure(jax.tree.map(lambda x: x, seen)) == jax.tree.structure(pi)
    theta, unravel = ravel(seen)
    np.testing.assert_array_equal(theta, ravel(pi)[0])
    close(gradient(score, seen.params, rows), gradient(score, pi, rows))
    assert not isinstance(unravel(theta), Evaluated)


def test_other_observations_are_looked_at_anew(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    other = replaced(rows, obs=rows.obs + 1)
    close(at_rows(evaluated(pi, rows), other), at_rows(pi, other))
    assert evaluated(evaluated(pi, rows), other).obs is other.obs


def test_what_asks_for_an_action_too_is_left_as_it_is(key):
    critic = mlp_action_critic(SEEN, CHOICES, key=key)
    assert evaluated(critic, batch(policy(CHOICES, key), key)) is critic
