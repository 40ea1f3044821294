"""Independent, reshaped and product distributions are sums of what they are made of."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from logpi.distributions.bernoulli import Bernoulli
from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.grouped import Grouped
from logpi.distributions.independent import Independent
from logpi.distributions.product import Product
from logpi.distributions.reshaped import Reshaped
from logpi.distributions.squashed import Squashed

LOGITS, OTHER = (jnp.asarray(np.random.default_rng(s).normal(size=(3, 4)), jnp.float32) for s in (3, 4))
MIXED = {"gear": Categorical(LOGITS[0]), "wheel": (Gaussian(LOGITS[1], LOGITS[2]), Bernoulli(OTHER[0]))}
OTHERS = {"gear": Categorical(OTHER[0]), "wheel": (Gaussian(OTHER[1], OTHER[2]), Bernoulli(LOGITS[0]))}


def parts(tree):
    return tree["gear"], *tree["wheel"]


def test_independent_entries_add_up():
    p, q = Independent(Categorical(LOGITS)), Independent(Categorical(OTHER))
    action = jnp.array([3, 0, 2])
    each = [Categorical(z) for z in LOGITS]
    np.testing.assert_allclose(
        p.log_prob(action), sum(d.log_prob(a) for d, a in zip(each, action, strict=True)), rtol=1e-6
    )
    np.testing.assert_allclose(p.entropy(), sum(d.entropy() for d in each), rtol=1e-6)
    np.testing.assert_allclose(p.kl(q), sum(d.kl(Categorical(z)) for d, z in zip(each, OTHER, strict=True)), rtol=1e-6)
    np.testing.assert_array_equal(p.mode(), [d.mode() for d in each])


def test_a_product_adds_up_its_parts():
    p, q = Product(MIXED), Product(OTHERS)
    action = p.sample(jr.key(0))
    assert set(action) == {"gear", "wheel"} and isinstance(action["wheel"], tuple)
    for got, method, arguments in (
        (p.log_prob(action), "log_prob", [(a,) for a in parts(action)]),
        (p.entropy(), "entropy", [()] * 3),
        (p.kl(q), "kl", [(d,) for d in parts(OTHERS)]),
    ):
        want = sum(getattr(d, method)(*given) for d, given in zip(parts(MIXED), arguments, strict=True))
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_the_parts_of_a_product_are_drawn_independently():
    """Two equal parts, which one key for both would make agree always."""
    coin = Categorical(jnp.zeros((50_000, 2)))
    first, second = Product((coin, coin)).sample(jr.key(0))
    assert abs(float(jnp.mean((first == second).astype(float))) - 0.5) < 4 * 0.5 / np.sqrt(50_000)


def test_a_product_of_products_is_a_product():
    p, deep = Product((Categorical(LOGITS[0]), Bernoulli(LOGITS[1]))), Product((Categorical(LOGITS[0]),))
    deep = Product((deep, Product({"b": Bernoulli(LOGITS[1])})))
    np.testing.assert_allclose(deep.entropy(), p.entropy(), rtol=1e-6)
    a, b = jnp.int32(2), jnp.array([1, 0, 0, 1])
    np.testing.assert_allclose(deep.log_prob(((a,), {"b": b})), p.log_prob((a, b)), rtol=1e-6)


def test_to_env_reaches_the_leaves():
    p = Product({"a": Squashed(Gaussian(LOGITS[0], LOGITS[1])), "b": Reshaped(Squashed(Gaussian(*LOGITS[:2])), (2, 2))})
    u = p.sample(jr.key(0))
    jax.tree.map(lambda a, u: np.testing.assert_array_equal(a, jnp.tanh(u)), p.to_env(u), u)


def test_a_reshaped_vector_is_the_vector_row_by_row():
    vector = Gaussian(*jnp.asarray(np.random.default_rng(5).normal(size=(2, 5, 6)), jnp.float32))
    matrix, noise = Reshaped(vector, (2, 3)), vector.mean - vector.log_std

    @jax.jit
    def figures(vector, matrix):
        action, row = matrix.push(noise), vector.push(noise)
        return action, row.reshape(5, 2, 3), matrix.log_prob(action), vector.log_prob(row), matrix.mode()

    action, want, log_prob, want_log_prob, mode = figures(vector, matrix)
    np.testing.assert_array_equal(action, want)
    np.testing.assert_array_equal(log_prob, want_log_prob)
    np.testing.assert_array_equal(mode, vector.mean.reshape(5, 2, 3))


def test_groups_are_the_padded_vector_without_its_padding():
    """Counts 4, 2, 2: probabilities, entropy, divergence and mode are those of one table with −∞ where nothing is."""
    one = lambda z: Grouped((Independent(Categorical(z[:1])), Independent(Categorical(z[1:, :2]))), (1, 2))
    padded = lambda z: Independent(Categorical(z.at[1:, 2:].set(-jnp.inf)))
    action = jnp.array([[3, 0, 1], [2, 1, 1]])
    p, q = one(LOGITS), one(OTHER)
    every = lambda z: jax.tree.map(lambda x: jnp.stack([x, x]), z)
    np.testing.assert_allclose(every(p).log_prob(action), every(padded(LOGITS)).log_prob(action), rtol=1e-5)
    np.testing.assert_allclose(p.entropy(), padded(LOGITS).entropy(), rtol=1e-5)
    np.testing.assert_allclose(p.kl(q), padded(LOGITS).kl(padded(OTHER)), rtol=1e-5)
    np.testing.assert_array_equal(p.mode(), padded(LOGITS).mode())
    np.testing.assert_array_equal(p.sample(jr.key(1)).shape, (3,))
    np.testing.assert_array_equal(p.to_env(action[0]), action[0])
