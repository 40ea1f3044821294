"""Hyper-parameters along straight lines."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import pytest

from logpi.core.schedules import LinearSchedule, parse_schedule
from logpi.core.trees import resolve
from logpi.updates.ascent import Ascent


@pytest.mark.parametrize(("progress", "value"), [(0.0, 3.0), (0.25, 2.5), (0.5, 2.0), (1.0, 1.0)])
def test_linear_runs_straight_from_start_to_end(progress, value):
    assert LinearSchedule(3.0, 1.0).at(progress) == value


def test_a_schedule_is_written_start_colon_end():
    assert parse_schedule("1e-3:0") == LinearSchedule(1e-3, 0.0)


@pytest.mark.parametrize("text", ["1e-3", "1:2:3", "a:b", ""])
def test_any_other_text_is_refused(text):
    with pytest.raises(ValueError):
        parse_schedule(text)


def test_resolve_puts_the_value_in_the_schedules_place():
    update = resolve(Ascent(optax.adam, learning_rate=LinearSchedule(0.5, 1.0), max_grad_norm=0.25), 0.5)
    assert (update.learning_rate, update.max_grad_norm) == (0.75, 0.25)


def test_resolve_finds_schedules_however_deep():
    assert resolve({"a": [LinearSchedule(0.0, 4.0), (1, LinearSchedule(1.0, 2.0))]}, 0.5) == {"a": [2.0, (1, 1.5)]}


def test_resolve_leaves_a_tree_without_schedules_as_it_is():
    tree = {"f": jnp.tanh, "x": jnp.arange(3), "s": "name", "n": None}
    assert eqx.tree_equal(resolve(tree, 0.5), tree)


def test_progress_never_recompiles():
    compiles = []

    @jax.jit
    def at(progress):
        compiles.append(progress)
        return resolve(Ascent(optax.adam, learning_rate=LinearSchedule(0.0, 1.0)), progress).learning_rate

    assert [float(at(jnp.float32(p))) for p in (0.0, 0.5, 1.0)] == [0.0, 0.5, 1.0]
    assert len(compiles) == 1
