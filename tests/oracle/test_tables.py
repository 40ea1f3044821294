"""Tables as networks, with and without a clock."""

import jax
import jax.numpy as jnp
import numpy as np
from oracle.worlds import WORLDS, table

from logpi.oracle.tables import IgnoresTime, TableActionCritic, TableCritic, TablePolicy
from logpi.oracle.time_augmented import time_augmented


def test_each_row_of_a_table_is_read_by_its_own_unit_vector():
    numbers = jnp.arange(6.0).reshape(3, 2)
    for s, obs in enumerate(jnp.eye(3)):
        np.testing.assert_allclose(TablePolicy(numbers)(obs).logits, numbers[s])
        assert TableCritic(numbers[:, 1])(obs) == numbers[s, 1]
        assert [TableActionCritic(numbers)(obs, jnp.int32(a)) for a in (0, 1)] == numbers[s].tolist()


def test_a_policy_that_does_not_look_at_the_clock_is_worth_the_same_with_one():
    """U and ∇U of the task with a horizon are those of the task with a clock."""
    mdp = WORLDS["ending"](4)
    policy = TablePolicy(table(mdp))
    clocked, timeless = time_augmented(mdp), IgnoresTime(policy, mdp.states)
    np.testing.assert_allclose(clocked.utility(timeless), mdp.utility(policy), rtol=1e-5)
    gradient = clocked.gradient(timeless).network.logits
    np.testing.assert_allclose(gradient, mdp.gradient(policy).logits, rtol=1e-4, atol=1e-6)


def test_at_every_time_it_answers_as_without_a_clock():
    policy = TablePolicy(jnp.arange(6.0).reshape(3, 2))
    answers = jax.vmap(IgnoresTime(policy, 3))(jnp.eye(3 * 4 + 1)).logits
    np.testing.assert_allclose(answers[:-1], np.tile(policy.logits, (4, 1)))
    np.testing.assert_allclose(answers[-1], 0)
