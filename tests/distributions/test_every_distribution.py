"""What holds of every distribution, whatever its actions look like."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import close

from logpi.distributions.bernoulli import Bernoulli
from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.independent import Independent
from logpi.distributions.product import Product
from logpi.distributions.protocol import Distribution
from logpi.distributions.reshaped import Reshaped
from logpi.distributions.squashed import Squashed

ROWS = 3
ILLEGAL = jnp.array([[0, 1, 0, 0], [1, 0, 0, 1], [0, 0, 0, 1]], bool)


def numbers(seed, *shape):
    return jr.normal(jr.key(seed), (ROWS, *shape))


def masked(logits):
    """With some actions illegal: other ones in every row."""
    extra = (1,) * (logits.ndim - 2)
    return jnp.where(jnp.broadcast_to(ILLEGAL.reshape(ROWS, *extra, 4), logits.shape), -jnp.inf, logits)


def gaussian(seed, size=2):
    return Gaussian(numbers(seed, size), 0.5 * numbers(seed + 50, size) - 0.3)


KINDS = {
    "categorical": lambda s: Categorical(numbers(s, 5)),
    "masked": lambda s: Categorical(masked(numbers(s, 4))),
    "gaussian": gaussian,
    "squashed": lambda s: Squashed(gaussian(s)),
    "bernoulli": lambda s: Bernoulli(numbers(s, 4)),
    "independent": lambda s: Independent(Categorical(masked(numbers(s, 3, 4)))),
    "matrix": lambda s: Reshaped(Bernoulli(numbers(s, 6)), (3, 2)),
    "number": lambda s: Reshaped(gaussian(s, 1), ()),
    "tree": lambda s: Product(
        {"one": Categorical(numbers(s, 3)), "two": (Squashed(gaussian(s + 1)), Product((Bernoulli(numbers(s, 2)),)))}
    ),
}
PAIRS = {name: (make(1), make(2)) for name, make in KINDS.items()}
every_pair = pytest.mark.parametrize(("p", "q"), PAIRS.values(), ids=PAIRS)


def many(p, row, count=1_000_000):
    """One row of p, standing for as many draws as are wanted."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x[row], (count, *x.shape[1:])), p)


def within_four_errors(samples, truth):
    samples = np.asarray(samples, float)
    return abs(samples.mean() - truth) < 4 * samples.std() / np.sqrt(len(samples)) + 1e-6


@every_pair
def test_offers_all_that_a_distribution_offers(p, q):
    assert isinstance(p, Distribution)


@every_pair
def test_a_sample_is_pushed_noise(p, q, key):
    jax.tree.map(np.testing.assert_array_equal, p.sample(key), p.push(p.noise(key)))


@every_pair
def test_noise_depends_on_shapes_alone(p, q, key):
    jax.tree.map(np.testing.assert_array_equal, p.noise(key), q.noise(key))


@every_pair
def test_kl_is_the_mean_log_ratio_of_a_million_samples(p, q):
    """And entropy is the mean of −log π."""

    @jax.jit
    def drawn(p, q, key):
        action = p.sample(key)
        return p.log_prob(action), q.log_prob(action)

    log_p, log_q = drawn(many(p, 1), many(q, 1), jr.key(0))
    assert within_four_errors(log_p - log_q, p.kl(q)[1])
    assert within_four_errors(-log_p, p.entropy()[1])


@every_pair
def test_kl_is_positive_and_nothing_to_itself(p, q):
    assert jnp.all(p.kl(q) > 0) and jnp.all(q.kl(p) > 0)
    np.testing.assert_array_equal(p.kl(p), 0)


@every_pair
def test_the_mode_is_an_action_with_all_that_actions_have(p, q, key):
    shapes = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
    assert shapes(p.mode()) == shapes(p.sample(key)) == shapes(p.to_env(p.mode()))
    assert p.log_prob(p.mode()).shape == p.entropy().shape == p.kl(q).shape == (ROWS,)


@every_pair
def test_a_batch_is_its_rows_under_vmap_and_jit(p, q, key):
    def figures(p, q, noise):
        action = p.push(noise)
        return action, p.to_env(action), p.log_prob(action), q.log_prob(action), p.entropy(), p.kl(q), p.mode()

    noise = p.noise(key)
    close(jax.jit(jax.vmap(figures))(p, q, noise), figures(p, q, noise), rtol=1e-5, atol=1e-6)


@every_pair
def test_gradients_are_finite_and_the_score_has_mean_zero(p, q):
    action = jax.jit(lambda p: p.sample(jr.key(0)))(many(p, 0, 40_000))

    @jax.jit
    def slopes(p, q, action):
        score = jax.vmap(jax.grad(lambda p, a: p.log_prob(a)), (None, 0))(p, action)
        return score, jax.grad(lambda p: p.entropy())(p), jax.grad(lambda p: p.kl(q))(p), jax.grad(q.kl)(p)

    one = lambda d: jax.tree.map(lambda x: x[0], d)
    score, *others = slopes(one(p), one(q), action)
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves((score, others)))
    for x in jax.tree.leaves(score):
        x = np.asarray(x, float).reshape(len(x), -1)
        assert np.all(abs(x.mean(axis=0)) <= 4.5 * x.std(axis=0) / np.sqrt(len(x)) + 1e-6)


@every_pair
def test_the_hessian_of_kl_is_the_covariance_of_the_score(p, q):
    """∇² KL(p‖q) at q = p is the Fisher matrix, finite also where actions are illegal."""
    one = jax.tree.map(lambda x: x[0], p)
    leaves, structure = jax.tree.flatten(eqx.filter(one, eqx.is_inexact_array))
    flat, unravel = jax.flatten_util.ravel_pytree(leaves)
    legal = np.isfinite(flat)
    at = lambda v: jax.tree.unflatten(structure, unravel(v))
    hessian = jax.jit(jax.hessian(lambda v: one.kl(at(v))))(flat)
    action = jax.jit(lambda d: d.sample(jr.key(0)))(many(p, 0, 40_000))
    score = jax.jit(jax.vmap(jax.grad(lambda v, a: at(v).log_prob(a)), (None, 0)))(flat, action)
    outer = np.asarray(score, float)[:, :, None] * np.asarray(score, float)[:, None, :]
    error = outer.std(axis=0) / np.sqrt(len(outer))
    assert np.all(abs(outer.mean(axis=0) - hessian) <= 5 * error + 1e-5)
    assert np.all(np.asarray(hessian)[~legal] == 0) and np.all(np.diag(hessian)[legal] > 0)
