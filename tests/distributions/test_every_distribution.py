"""What holds of every distribution, whatever its actions look like."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import close
from helpers import mostly_slow

from logpi.distributions.bernoulli import Bernoulli
from logpi.distributions.categorical import Categorical
from logpi.distributions.gaussian import Gaussian
from logpi.distributions.grouped import Grouped
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
    "grouped": lambda s: Grouped(
        (Independent(Categorical(numbers(s, 1, 6))), Independent(Categorical(numbers(s + 1, 2, 3)))), (1, 2)
    ),
    "matrix": lambda s: Reshaped(Bernoulli(numbers(s, 6)), (3, 2)),
    "number": lambda s: Reshaped(gaussian(s, 1), ()),
    "tree": lambda s: Product(
        {
            "one": Categorical(masked(numbers(s, 4))),
            "two": (Squashed(gaussian(s + 1)), Product((Bernoulli(numbers(s, 2)),))),
        }
    ),
}
AT_ONCE = "tree"
"""It holds one of almost every other kind; each of them on its own takes its turn with the slow tests."""

WHICH = mostly_slow(KINDS, (AT_ONCE,))
SAMPLES, SCORES = 1_000_000, 40_000


def row(p, count):
    """The second row of p, standing for as many draws as are wanted."""
    return jax.tree.map(lambda x: jnp.broadcast_to(x[1], (count, *x.shape[1:])), p)


def figures(p, q, noise):
    action = p.push(noise)
    return action, p.to_env(action), p.log_prob(action), q.log_prob(action), p.entropy(), p.kl(q), p.mode()


def all_there_is_to_know(p, q, key):
    """In one program, which is compiled once."""
    many = row(p, SAMPLES)
    action = many.sample(key)
    flat, unravel = jax.flatten_util.ravel_pytree(jax.tree.map(lambda x: x[1], p))
    one, other = unravel(flat), jax.tree.map(lambda x: x[1], q)
    score = jax.vmap(jax.grad(lambda v, a: unravel(v).log_prob(a)), (None, 0))
    figure = lambda v: (unravel(v).entropy(), unravel(v).kl(other), other.kl(unravel(v)))
    return {
        "log_p": many.log_prob(action),
        "log_q": row(q, SAMPLES).log_prob(action),
        "figures": figures(p, q, p.noise(key)),
        "rows": jax.vmap(figures)(p, q, p.noise(key)),
        "to itself": p.kl(p),
        "sample": p.sample(key),
        "noise": (p.noise(key), q.noise(key)),
        "score": score(flat, jax.tree.map(lambda x: x[:SCORES], action)),
        "slopes": jax.jacrev(figure)(flat),
        "hessian": jax.hessian(lambda v: one.kl(unravel(v)))(flat),
        "parameters": flat,
    }


@pytest.fixture(scope="module", params=WHICH)
def known(request):
    make = KINDS[request.param]
    assert isinstance(make(1), Distribution)
    return jax.device_get(jax.jit(all_there_is_to_know)(make(1), make(2), jr.key(0)))


def within_four_errors(samples, truth):
    samples = np.asarray(samples, float)
    return abs(samples.mean() - truth) < 4 * samples.std() / np.sqrt(len(samples)) + 1e-6


def test_a_sample_is_pushed_noise_and_noise_depends_on_shapes_alone(known):
    jax.tree.map(np.testing.assert_array_equal, known["sample"], known["figures"][0])
    jax.tree.map(np.testing.assert_array_equal, *known["noise"])


def test_kl_is_the_mean_log_ratio_of_a_million_samples(known):
    *_, kl, _ = known["figures"]
    assert within_four_errors(known["log_p"] - known["log_q"], kl[1])


def test_entropy_is_the_mean_surprise_of_a_million_samples(known):
    *_, entropy, _, _ = known["figures"]
    assert within_four_errors(-known["log_p"], entropy[1])


def test_kl_is_positive_and_nothing_to_itself(known):
    *_, kl, _ = known["figures"]
    assert np.all(kl > 0)
    np.testing.assert_array_equal(known["to itself"], 0)


def test_actions_are_alike_and_figures_are_numbers(known):
    action, native, log_p, log_q, entropy, kl, mode = known["figures"]
    shapes = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
    assert shapes(mode) == shapes(action) == shapes(native)
    assert {x.shape for x in (log_p, log_q, entropy, kl)} == {(ROWS,)}


def test_a_batch_is_its_rows_under_vmap(known):
    close(known["rows"], known["figures"], rtol=1e-5, atol=1e-6)


def test_gradients_are_finite_and_the_score_has_mean_zero(known):
    assert all(np.isfinite(x).all() for x in (known["score"], *known["slopes"]))
    score = np.asarray(known["score"], float)
    assert np.all(abs(score.mean(axis=0)) <= 4.5 * score.std(axis=0) / np.sqrt(SCORES) + 1e-6)


def test_the_hessian_of_kl_is_the_covariance_of_the_score(known):
    """∇² KL(p‖q) at q = p is the Fisher matrix; where actions are illegal it is 0."""
    score, hessian = np.asarray(known["score"], float), known["hessian"]
    outer = score[:, :, None] * score[:, None, :]
    assert np.all(abs(outer.mean(axis=0) - hessian) <= 5 * outer.std(axis=0) / np.sqrt(SCORES) + 1e-5)
    legal = np.isfinite(known["parameters"])
    assert np.all(hessian[~legal] == 0) and np.all(np.diag(hessian)[legal] > 0)
