"""Importance weights of batches made by hand: every ratio is known, and rows that do not count do not."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import learner, trajectory

from logpi.credit.per_decision import PerDecision
from logpi.distributions.categorical import Categorical
from logpi.objectives.importance_weighted import ImportanceWeighted
from logpi.objectives.outputs import Outputs
from logpi.objectives.weights import (
    SelfNormalized,
    cumulative_weights,
    effective_sample_size,
    step_weights,
    trajectory_weights,
)
from logpi.types import Batch


class Even(eqx.Module):
    """π that takes either action with probability ½: ρ is then ½ / μ."""

    def __call__(self, obs):
        return Categorical(jnp.zeros(2) * obs)


def rows(ratio, valid=None):
    """A batch in which π/μ is this in every row."""
    ratio = np.asarray(ratio, np.float32)
    zeros = jnp.zeros(ratio.shape)
    valid = jnp.asarray(np.ones(ratio.shape, bool) if valid is None else np.asarray(valid, bool))
    return Batch(
        zeros, zeros.astype(jnp.int32), jnp.asarray(np.log(0.5 / ratio)), zeros, zeros, valid, None, jnp.float32(1)
    )


HALF = [[2.0, 0.5], [4.0, 1.0]]  # two episodes of two steps
HALVES = Categorical(jnp.zeros((2, 2, 2)))  # what Even answers there


def test_products_are_over_the_whole_trajectory_or_up_to_the_action():
    np.testing.assert_allclose(trajectory_weights(HALVES, rows(HALF)), [[8, 0.5], [8, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(cumulative_weights(HALVES, rows(HALF)), [[2, 0.5], [8, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(step_weights(HALVES, rows(HALF)), HALF, rtol=1e-6)


def test_no_log_weight_is_beyond_twenty():
    """Three ratios of e^±30: each alone is held to e^±20, and so is their product."""
    far = rows(np.exp(np.float32([[30, -30], [30, -30], [30, -30]])))
    pi = Categorical(jnp.zeros((3, 2, 2)))
    for weights in (step_weights, trajectory_weights):
        np.testing.assert_allclose(weights(pi, far), np.exp(np.float32([[20, -20]] * 3)), rtol=1e-5)


@pytest.mark.parametrize("weights", [trajectory_weights, step_weights], ids=["trajectory", "step"])
def test_exponents_are_held_within_twenty(weights):
    """Two rows of e^±30 each, which would be e^±60: finite, and no more than e^20 nor less than e^−20."""
    far = np.exp(np.array([[30.0, -30.0], [30.0, -30.0]]))
    w = weights(HALVES, rows(far))
    np.testing.assert_allclose(np.log(w), [[20, -20], [20, -20]], rtol=1e-5)


def test_a_column_without_an_episode_is_no_part_of_the_mean():
    """As in a memory that is not full: its rows would count as weights of 1."""
    valid = [[True, True, False], [True, False, False]]
    w = SelfNormalized(trajectory_weights)(
        Categorical(jnp.zeros((2, 3, 2))), rows([[2.0, 3.0, 9.0], [4.0, 9.0, 9.0]], valid)
    )
    np.testing.assert_allclose(w[:, :2], [[8 / 5.5, 3 / 5.5]] * 2, rtol=1e-6)


def test_the_effective_sample_size_of_trajectories_is_that_of_their_whole_weights():
    """8 and ½ at the end, not 2 and ½ as after the first action; a column without an episode is not there."""
    valid = [[True, True, False], [True, True, False]]
    for weights in (trajectory_weights, cumulative_weights):
        got = effective_sample_size(
            weights, Categorical(jnp.zeros((2, 3, 2))), rows([[2.0, 0.5, 1.0], [4.0, 1.0, 1.0]], valid)
        )
        np.testing.assert_allclose(got["effective_sample_size"], 8.5**2 / (64 + 0.25), rtol=1e-6)
        np.testing.assert_allclose(got["effective_share"], 8.5**2 / (64 + 0.25) / 2, rtol=1e-6)


def test_the_largest_weight_is_that_of_a_row_that_counts():
    batch = rows([0.5, 0.25, 9.0], [True, True, False])
    info = ImportanceWeighted(step_weights).info(Outputs(Even(), batch), batch)
    np.testing.assert_allclose(info["largest_weight"], 0.5, rtol=1e-6)


def test_what_lies_beyond_an_episodes_end_is_no_part_of_its_per_decision_return():
    """γ = ½, every ρ 2: 1 + ½·2·3 from the start, 3 from the last step; the padding's reward of 10⁶ is nobody's."""
    tau = trajectory([[1.0], [3.0], [1e6]], terminated=[[False], [True], [False]], complete=True)
    tau = eqx.tree_at(lambda t: t.log_prob, tau, jnp.full((3, 1), np.float32(np.log(0.25))))
    phi, target = PerDecision(0.5)(learner(Even()), tau)
    np.testing.assert_allclose(phi[:2, 0], [4.0, 3.0], rtol=1e-6)
    np.testing.assert_array_equal(phi, target)
