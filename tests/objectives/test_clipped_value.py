"""−½ mean(max((V − R)², (V_near − R)²)): rows whose V has moved far enough pull no more."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import CHOICES, SEEN, batch, close, gradient, policy, replaced, stirred

from logpi.objectives.clipped_value import ClippedValue
from logpi.objectives.value import value
from logpi.policies.critic import mlp_critic


@pytest.fixture
def critic(key):
    return stirred(mlp_critic(SEEN, hidden=(), key=key), key)


@pytest.fixture
def rows(key):
    return batch(policy(CHOICES, key), key)


def moved(critic, rows, by):
    """The rows, had V been lower by so much when they were collected."""
    return replaced(rows, credit=rows.target - (jax.vmap(critic)(rows.obs) - jnp.asarray(by, jnp.float32)))


@pytest.mark.parametrize("far", [0.0, 0.19, -0.19])
def test_within_the_bound_it_is_the_squared_error(far, critic, rows):
    rows = moved(critic, rows, far)
    np.testing.assert_allclose(ClippedValue(0.2).evaluate(critic, rows), value.evaluate(critic, rows), rtol=1e-5)
    close(gradient(ClippedValue(0.2), critic, rows), gradient(value, critic, rows), rtol=1e-5, atol=1e-6)


def test_without_a_bound_it_is_the_squared_error_wherever_v_was(critic, rows):
    rows = moved(critic, rows, jnp.linspace(-50, 50, rows.valid.size))
    np.testing.assert_allclose(ClippedValue(1e9).evaluate(critic, rows), value.evaluate(critic, rows), rtol=1e-5)


def test_the_cells_have_their_hand_values(critic, rows):
    """V rose by 1, ε = 0.2: towards R = 3 it pulls no more (2.8² > 2²); past R = 0 it is pulled back (1² > 0.2²)."""
    now = jax.vmap(critic)(rows.obs)
    for target, larger, pulls in ((3.0, 2.8, False), (0.0, 1.0, True), (-2.0, 3.0, True), (0.55, 0.45, True)):
        aim = now - 1 + target
        cell = replaced(rows, target=aim, credit=aim - (now - 1))
        np.testing.assert_allclose(ClippedValue(0.2).evaluate(critic, cell), -0.5 * larger**2, rtol=1e-4)
        bias = gradient(ClippedValue(0.2), critic, cell).network.layers[0].bias
        np.testing.assert_allclose(bias, -(1 - target) if pulls else 0.0, atol=1e-5)


def test_in_units_of_return_the_bound_is_too(key, rows):
    """V/σ fitted to σR, beside σV_old, is V fitted to R: the same value."""
    from test_value_objective import with_scale

    critic = stirred(mlp_critic(SEEN, hidden=(), normalize_returns=True, key=key), key)
    rows = moved(critic, rows, 0.5)
    large = replaced(rows, target=50 * rows.target, credit=50 * rows.credit)
    got = ClippedValue(0.2).evaluate(with_scale(critic, 50.0), large)
    np.testing.assert_allclose(got, ClippedValue(0.2).evaluate(critic, rows), rtol=1e-4)
