"""Objectives add and scale like the functions they are; rows that are not valid do not exist."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import CHOICES, SEEN, VECTORS, batch, bits, close, gradient, policy, replaced, stirred

from logpi.core.schedules import LinearSchedule
from logpi.core.trees import resolve
from logpi.objectives.advantage_normalized import AdvantageNormalized
from logpi.objectives.base import Objective, ObjectiveWrapper
from logpi.objectives.clipped import Clipped
from logpi.objectives.entropy import entropy
from logpi.objectives.importance import importance
from logpi.objectives.outputs import Outputs
from logpi.objectives.score import score
from logpi.objectives.value import value
from logpi.policies.critic import mlp_critic


class Whole(Objective):
    """Stands for any objective of whole trajectories, whose value means nothing."""

    def __call__(self, outputs, batch):
        return jnp.float32(4.0)

    @property
    def sampling_unit(self):
        return "trajectory"

    @property
    def has_meaningful_value(self):
        return False

    def info(self, outputs, batch):
        return {"figure": jnp.float32(7.0)}


class Plain(ObjectiveWrapper):
    """Overrides nothing."""

    objective: Objective


def test_a_sum_has_the_sum_of_values_gradients_and_figures(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    both = Clipped(0.2) + 0.01 * entropy
    np.testing.assert_allclose(
        both.evaluate(pi, rows), Clipped(0.2).evaluate(pi, rows) + 0.01 * entropy.evaluate(pi, rows), rtol=1e-6
    )
    add = lambda a, b: a + 0.01 * b
    by_hand = jax.tree.map(add, gradient(Clipped(0.2), pi, rows), gradient(entropy, pi, rows))
    close(gradient(both, pi, rows), by_hand, atol=1e-6)
    assert both.info(Outputs(pi, rows), rows).keys() == {"clip_fraction"}


@pytest.mark.parametrize("factor", [0.3, np.float32(0.3), jnp.float32(0.3)], ids=["float", "numpy", "jax"])
def test_any_kind_of_number_scales_an_objective(key, factor):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    np.testing.assert_allclose((factor * score).evaluate(pi, rows), 0.3 * score.evaluate(pi, rows), rtol=1e-6)


def test_a_factor_may_change_with_progress(key):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    faded = resolve(LinearSchedule(1.0, 0.0) * entropy, 0.75)
    np.testing.assert_allclose(faded.evaluate(pi, rows), 0.25 * entropy.evaluate(pi, rows), rtol=1e-6)


@pytest.mark.parametrize(("wrapper", "value"), [(Plain(Whole()), 4.0), (0.5 * Whole(), 2.0)], ids=["plain", "scaled"])
def test_a_wrapper_delegates_what_it_does_not_override(key, wrapper, value):
    pi = policy(CHOICES, key)
    rows = batch(pi, key)
    assert wrapper.evaluate(pi, rows) == value and wrapper.info(Outputs(pi, rows), rows) == {"figure": 7.0}
    assert wrapper.sampling_unit == "trajectory" and not wrapper.has_meaningful_value


@pytest.mark.parametrize(
    ("objective", "unit"),
    [
        (score + entropy, "step"),
        (score + Whole(), "trajectory"),
        (Whole() + score, "trajectory"),
        (0.5 * Whole(), "trajectory"),
        (score + 0.5 * (entropy + Whole()), "trajectory"),
        (AdvantageNormalized(Whole()), "trajectory"),
        (0.5 * score, "step"),
    ],
)
def test_the_unit_is_the_coarser_one(objective, unit):
    assert objective.sampling_unit == unit


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
@pytest.mark.parametrize(
    "objective",
    [score, importance, Clipped(0.2), entropy, value, AdvantageNormalized(Clipped(0.2)) + 0.01 * entropy],
    ids=lambda o: type(o).__name__,
)
def test_rows_that_are_not_valid_have_no_effect(key, actions, objective):
    """Bit for bit: neither on the value, nor on the gradient, nor on the figures."""
    pi = policy(actions, key)
    params = stirred(mlp_critic(SEEN, hidden=(8,), key=key), key) if objective is value else pi
    valid = jax.random.bernoulli(key, 0.6, (24,))
    rows = replaced(batch(pi, key), valid=valid)
    spoil = lambda x, bad: jnp.where(valid.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.asarray(bad, x.dtype))
    spoilt = replaced(
        rows,
        obs=spoil(rows.obs, 1e6),
        action=spoil(rows.action, 1),
        log_prob=spoil(rows.log_prob, -1e6),
        credit=spoil(rows.credit, 1e6),
        target=spoil(rows.target, 1e6),
    )
    answers = lambda rows: (
        objective.evaluate(params, rows),
        gradient(objective, params, rows),
        objective.info(Outputs(params, rows), rows),
    )
    assert bits(answers(spoilt)) == bits(answers(rows))
