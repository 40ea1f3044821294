"""What is learned and what is carried along."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import trajectory

from logpi.types import Frozen, ravel, trainable


class Net(eqx.Module):
    """A weight, statistics, a counter, a function and a constant."""

    weight: jax.Array
    statistics: Frozen
    count: jax.Array
    activation: object
    gain: float


@pytest.fixture
def net():
    return Net(jnp.arange(6.0).reshape(2, 3), Frozen({"mean": jnp.ones(3)}), jnp.arange(4), jnp.tanh, 2.0)


def shapes(tree):
    return [leaf.shape for leaf in jax.tree.leaves(tree)]


def test_only_float_arrays_outside_frozen_are_learned(net):
    theta, rest = trainable(net)
    assert shapes(theta) == [(2, 3)]
    assert shapes(eqx.filter(rest, eqx.is_array)) == [(3,), (4,)]


def test_both_parts_together_are_the_tree_again(net):
    assert eqx.tree_equal(eqx.combine(*trainable(net)), net)


def test_a_wholly_frozen_tree_has_nothing_to_learn():
    assert shapes(trainable(Frozen(jnp.ones(3)))[0]) == []


def test_frozen_is_found_however_deep_it_lies(net):
    theta, _ = trainable({"a": [net, (Frozen(net), jnp.ones(5))]})
    assert shapes(theta) == [(2, 3), (5,)]


def test_the_gradient_of_theta_has_no_entry_for_statistics(net):
    theta, rest = trainable(net)
    loss = lambda theta: jnp.sum((n := eqx.combine(theta, rest)).weight * n.statistics.value["mean"][None])
    gradient = jax.grad(loss)(theta)
    assert shapes(gradient) == [(2, 3)]
    np.testing.assert_array_equal(gradient.weight, 1.0)


def test_ravel_lays_theta_in_a_row(net):
    np.testing.assert_array_equal(ravel(net)[0], np.arange(6.0))


def test_ravel_and_back_is_the_tree_again(net):
    flat, unravel = ravel(net)
    assert eqx.tree_equal(unravel(flat), net)


def test_another_vector_changes_theta_and_nothing_else(net):
    flat, unravel = ravel(net)
    other = unravel(flat + 1)
    np.testing.assert_array_equal(other.weight, net.weight + 1)
    assert eqx.tree_equal(eqx.tree_at(lambda n: n.weight, other, net.weight), net)


def test_ravel_of_statistics_alone_has_no_entries():
    assert ravel(Frozen(jnp.ones(3)))[0].shape == (0,)


def test_an_episode_is_done_for_either_reason():
    tau = trajectory(np.zeros((4, 1), np.float32), [[0], [1], [0], [1]], [[0], [0], [1], [1]])
    np.testing.assert_array_equal(tau.done[:, 0], [False, True, True, True])


@pytest.mark.parametrize("complete", [True, False])
def test_whether_columns_are_whole_episodes_is_known_inside_jit(complete):
    tau = trajectory(np.zeros((2, 1), np.float32), complete=complete)
    # A traced flag could not decide a Python `if`.
    assert jax.jit(lambda tau: tau.reward + 1 if tau.complete else tau.reward)(tau)[0, 0] == float(complete)
