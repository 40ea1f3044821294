"""θ + α ∇J, as any Optax optimizer does it, and nothing where there is no finite gradient."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from builders import CHOICES, VECTORS, batch, bits, close, gradient, policy, replaced

from logpi.objectives.base import Objective, total
from logpi.objectives.importance import importance
from logpi.objectives.score import score
from logpi.types import Frozen, trainable
from logpi.updates.ascent import Ascent, adam

OPTIMIZERS = {
    "sgd": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
    "adam with its own ε": functools.partial(optax.adam, eps=1e-5),
    "adamw": optax.adamw,
    "rmsprop": optax.rmsprop,
    "adagrad": optax.adagrad,
    "lion": optax.lion,
    "clipped adam": lambda rate: optax.chain(optax.clip_by_global_norm(0.1), optax.adam(rate)),
}


class Along(Objective):
    """J(θ) = gᵀθ, with the gradient g everywhere."""

    g: jax.Array

    def __call__(self, outputs, batch):
        return jnp.sum(self.g * outputs.params)


class PerRow(Objective):
    """J(θ) = Σ Φ θ₀ / scale: its gradient is the rows' credit."""

    def __call__(self, outputs, batch):
        return total(batch.credit * jnp.broadcast_to(outputs.params[:1], batch.credit.shape), batch)


class Product(Objective):
    """J = Σ θ · frozen · whole numbers: everything that it is handed counts."""

    def __call__(self, outputs, batch):
        theta, frozen, numbers, _ = outputs.params
        return jnp.sum(theta * frozen.value * numbers.astype(float))


@pytest.fixture
def rows(key):
    return batch(policy(CHOICES, key), key)


def ascend(ascent, objective, params, rows, key, opt=None):
    opt = ascent.init(params) if opt is None else opt
    return ascent(objective, params, rows, opt, key)


def test_one_plain_step_is_the_rate_times_the_gradient(key, rows):
    """θ' = θ + α g exactly, in numbers that floats hold."""
    theta, g = jnp.array([1.0, -2.0, 0.5]), jnp.array([3.0, 8.0, -0.25])
    new, _, info = ascend(Ascent(optax.sgd, 0.25), Along(g), theta, rows, key)
    np.testing.assert_array_equal(new, theta + 0.25 * g)
    np.testing.assert_allclose(info["gradient_norm"], jnp.linalg.norm(g), rtol=1e-6)
    np.testing.assert_allclose(info["step_norm"], 0.25 * jnp.linalg.norm(g), rtol=1e-6)
    assert info["learning_rate"] == 0.25 and info["skipped_updates"] == 0


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("actions", [CHOICES, VECTORS], ids=["softmax", "gaussian"])
def test_one_plain_step_of_a_policy_follows_the_policy_gradient(key, actions):
    pi = policy(actions, key)
    rows = batch(pi, key)
    new = ascend(Ascent(optax.sgd, 0.1), score, pi, rows, key)[0]
    by_hand = jax.tree.map(lambda p, g: p + 0.1 * g, trainable(pi)[0], gradient(score, pi, rows))
    close(trainable(new)[0], by_hand, atol=1e-7)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_plain_optax_on_the_tree(key, rows, name):
    """Three epochs on the whole batch: θ as one vector takes the same way as θ as a tree."""
    pi = policy(CHOICES, key)
    theta, rest = trainable(pi)
    descent = OPTIMIZERS[name](0.02)

    @jax.jit
    def by_hand(theta):
        opt = descent.init(theta)
        for _ in range(3):
            slope = gradient(importance, eqx.combine(theta, rest), rows)
            with jax.numpy_dtype_promotion("standard"):
                change, opt = descent.update(jax.tree.map(jnp.negative, slope), opt, theta)
            theta = optax.apply_updates(theta, change)
        return theta

    new = ascend(Ascent(OPTIMIZERS[name], 0.02, epochs=3), importance, pi, rows, key)[0]
    close(trainable(new)[0], by_hand(theta), atol=1e-6)
    assert bits(new) != bits(pi)


def test_the_optimizers_state_goes_on_from_one_call_to_the_next(key, rows):
    """Two calls of one epoch are one call of two."""
    pi, once, twice = policy(CHOICES, key), Ascent(optax.adam, 0.02), Ascent(optax.adam, 0.02, epochs=2)
    middle, opt, _ = ascend(once, importance, pi, rows, key)
    end = ascend(once, importance, middle, rows, key, opt)[0]
    close(trainable(end)[0], trainable(ascend(twice, importance, pi, rows, key)[0])[0], atol=1e-6)


def test_what_is_not_learned_is_not_touched(key, rows):
    """θ is every float outside a Frozen: weight decay and gradients alike leave the rest bit-identical."""
    params = (jnp.ones(3), Frozen(jnp.arange(3.0)), jnp.arange(3), "a name")
    new = ascend(Ascent(optax.adamw, 0.1), Product(), params, rows, key)[0]
    assert bits(new[1:]) == bits(params[1:]) and new[3] == "a name"
    assert not jnp.any(new[0] == params[0])


@pytest.mark.parametrize(("max_norm", "length"), [(1.0, 1.0), (100.0, 10.0), (None, 10.0)])
def test_a_gradient_longer_than_allowed_is_shortened_to_that_length(key, rows, max_norm, length):
    g = jnp.array([6.0, 0.0, 8.0])
    new, _, info = ascend(Ascent(optax.sgd, 1.0, max_grad_norm=max_norm), Along(g), jnp.zeros(3), rows, key)
    np.testing.assert_allclose(new, g / 10 * length, rtol=1e-6)
    assert info["gradient_norm"] == 10


def test_a_zero_gradient_makes_no_step_and_no_nan(key, rows):
    new, _, info = ascend(Ascent(optax.sgd, 1.0, max_grad_norm=0.5), Along(jnp.zeros(3)), jnp.ones(3), rows, key)
    np.testing.assert_array_equal(new, jnp.ones(3))
    assert info["skipped_updates"] == 0


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf, 1e30])
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted(key, rows, bad):
    """1e30 is finite, its square is not."""
    theta, ascent = jnp.ones(3), Ascent(optax.adam, 0.1, epochs=2, max_grad_norm=0.5)
    opt = ascend(ascent, Along(jnp.ones(3)), theta, rows, key)[1]
    new, moved, info = ascend(ascent, Along(jnp.array([1.0, bad, 1.0])), theta, rows, key, opt)
    assert bits((new, moved)) == bits((theta, opt))
    assert info["skipped_updates"] == 2 and info["step_norm"] == 0 and info["gradient_norm"] == 0


def test_only_the_minibatch_with_the_bad_row_is_left_out(key, rows):
    """24 rows in minibatches of 4: five steps of 1 each are taken, the sixth is not."""
    rows = replaced(rows, credit=jnp.ones(24).at[13].set(jnp.nan))
    new, _, info = ascend(Ascent(optax.sgd, 1.0, minibatch_size=4), PerRow(), jnp.zeros(1), rows, key)
    np.testing.assert_allclose(new, 5, rtol=1e-6)
    assert info["skipped_updates"] == 1
    np.testing.assert_allclose(info["gradient_norm"], 1, rtol=1e-6)


def test_a_new_rate_does_not_recompile(key, rows):
    pi, traces = policy(CHOICES, key), []

    @eqx.filter_jit
    def step(ascent, pi, opt):
        traces.append(1)
        return ascent(score, pi, rows, opt, key)[0]

    steps = [step(Ascent(optax.adam, jnp.float32(r)), pi, Ascent(optax.adam, r).init(pi)) for r in (0.1, 0.01, 0.0)]
    assert len(traces) == 1
    assert bits(steps[0]) != bits(steps[1]) and bits(steps[2]) == bits(pi)


def test_rates_can_be_swept_by_vmap(key, rows):
    theta, g, rates = jnp.ones(3), jnp.array([1.0, 2.0, 3.0]), jnp.array([0.5, 0.25, 0.0])
    swept = jax.vmap(lambda rate: ascend(Ascent(optax.sgd, rate), Along(g), theta, rows, key)[0])(rates)
    np.testing.assert_array_equal(swept, theta[None] + rates[:, None] * g[None])


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("minibatch_size", [None, 7])
def test_the_way_taken_is_fixed_by_the_key(key, rows, minibatch_size):
    """The same key gives the same bits; another key another order, if there is an order."""
    pi, ascent = policy(CHOICES, key), Ascent(optax.adam, 0.02, minibatch_size=minibatch_size)
    one, same, other = (bits(ascend(ascent, score, pi, rows, k)[0]) for k in (key, key, jr.key(1)))
    assert one == same and (one == other) is (minibatch_size is None)


def test_the_norm_of_the_gradient_is_its_mean_over_the_steps_of_all_epochs(key, rows):
    info = ascend(Ascent(optax.sgd, 0.25, epochs=3), Along(jnp.array([3.0, 4.0])), jnp.zeros(2), rows, key)[2]
    np.testing.assert_allclose(info["gradient_norm"], 5, rtol=1e-6)


def test_adam_divides_by_the_deviation_and_1e_5(key, rows):
    """The first step of Adam is α g / (|g| + ε): half as long where |g| = ε."""
    new = ascend(Ascent(adam, 0.5), Along(jnp.array([1e-5, 10.0])), jnp.zeros(2), rows, key)[0]
    np.testing.assert_allclose(new, [0.25, 0.5], rtol=1e-4)
