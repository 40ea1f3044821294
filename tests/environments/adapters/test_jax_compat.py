"""What other libraries' environments are held to: a state of one kind, numbers of the dtypes that logpi keeps."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from alike import GymnaxParams, GymnaxState, LikeBrax, LikeGymnax
from builders import Walk
from helpers import double_precision

from logpi.environments.adapters.brax import Brax
from logpi.environments.adapters.gymnax import Gymnax
from logpi.environments.adapters.jax_compat import default_promotion, strip_weak_types, to_scalar


class Numbers(LikeGymnax):
    """Keeps one of Python's own in its state."""

    def step_env(self, key, state, action, params):
        obs, state, *rest = LikeGymnax.step_env(self, key, state, action, params)
        return obs, GymnaxState(state.inner, 1), *rest


SINGLES = {
    "gymnax": (lambda: Gymnax(Numbers(Walk()), GymnaxParams()), jnp.int32(0)),
    "Brax": (lambda: Brax(LikeBrax(Walk(continuous=True))), jnp.zeros(1)),
}


def kinds(tree):
    return [(x.shape, x.dtype, x.weak_type) for x in jax.tree.leaves(tree)]


@pytest.mark.parametrize(("make", "action"), SINGLES.values(), ids=SINGLES)
def test_the_state_after_a_step_is_of_the_kind_of_the_one_before(make, action):
    """So that a program compiled for the first is the program for all."""
    single = make()
    state, _ = jax.eval_shape(single.reset, jr.key(0))
    later, *_ = jax.eval_shape(single.step, jr.key(0), state, action)
    assert kinds(later) == kinds(state) and not any(weak for *_, weak in kinds(state))


@pytest.mark.parametrize(("make", "action"), SINGLES.values(), ids=SINGLES)
def test_float64_stays_inside(make, action):
    with double_precision():
        single = make()
        state, first = single.reset(jr.key(0))
        _, obs, reward, terminated = single.step(jr.key(0), state, action)
        assert first.dtype == obs.dtype == reward.dtype == np.float32 and terminated.dtype == bool
        assert state.inner.dtype == np.float64 if hasattr(state, "inner") else state.obs.dtype == np.float64


def test_rules_are_usual_inside_and_the_callers_outside():
    with default_promotion():
        assert (jnp.zeros(2) + jnp.ones((1, 2)) * jnp.int32(1)).shape == (1, 2)
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.zeros(2) + jnp.ones((1, 2))


@pytest.mark.parametrize("x", [1.0, jnp.ones(()), jnp.ones(1)], ids=["number", "array", "array of one"])
def test_a_scalar_is_one_number_however_it_came(x):
    one = to_scalar(x, jnp.float32)
    assert one.shape == () and one.dtype == np.float32 and one == 1


def test_numbers_become_arrays():
    assert kinds(jax.eval_shape(lambda: strip_weak_types({"n": 1, "x": 1.0, "b": True}))) == [
        ((), np.dtype(bool), False),
        ((), np.dtype("int32"), False),
        ((), np.dtype("float32"), False),
    ]
