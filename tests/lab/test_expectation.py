"""The exact mean of an estimator over batches of m: each rule against a list of every batch there can be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import double_precision
from jax import lax
from oracle.worlds import drawn

from logpi.core.compilation import aot_compile
from logpi.lab.expectation import EpisodeTable
from logpi.lab.measure import _mean, method
from logpi.lab.problem import exact_gradient, problem


@pytest.fixture(scope="module")
def listed():
    """Two steps, an end that may come before them, and another policy that is not close."""
    with double_precision():
        return EpisodeTable(problem(drawn(0, 2), seed=3))


def over_all_batches(listed, one, m):
    """(E ĝ, tr Cov ĝ) over every batch of m episodes."""
    tau, chance = listed.episodes(one.off_policy)
    columns = np.stack(np.meshgrid(*[np.arange(chance.size)] * m, indexing="ij"), axis=-1).reshape(-1, m)
    state = listed.problem.state(one.critic)

    def every(state, tau, columns):
        pick = lambda which: one(state, jax.tree.map(lambda x: x[:, which], tau))
        return (), lax.map(pick, columns, batch_size=512)

    g = np.asarray(aot_compile(every, state, tau, jnp.asarray(columns))(state, tau, jnp.asarray(columns))[1])
    weight = chance[columns].prod(axis=1)
    mean = weight @ g
    return mean, float(weight @ np.sum((g - mean) ** 2, axis=1))


RULES = [
    ("reward-to-go", "none", 2),
    ("total-return", "mean", 3),
    ("reward-to-go", "time-mean", 3),
    ("reward-to-go", "leave-one-out", 2),
    ("total-return", "optimal", 2),
    ("reward-to-go", "optimal-each", 2),
    ("self-normalized", "none", 3),
    ("trajectory-weights", "value", 2),
]


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(("name", "baseline", "m"), RULES, ids=lambda x: str(x))
def test_each_rule_is_the_mean_over_every_batch(name, baseline, m, listed):
    with double_precision():
        one = method(listed.problem, name, baseline)
        want, variance = over_all_batches(listed, one, m)
        got = _mean(listed, one, name, baseline, m)
        np.testing.assert_allclose(got.value, want, rtol=1e-7, atol=1e-9)
        if got.variance is not None:
            np.testing.assert_allclose(got.variance, variance, rtol=1e-7)


BIASED = {"mean", "time-mean", "self-normalized"}


@pytest.mark.thorough_after(2)
@pytest.mark.parametrize(("name", "baseline", "m"), RULES, ids=lambda x: str(x))
def test_what_is_unbiased_has_the_gradient_for_its_mean_and_what_is_not_has_not(name, baseline, m, listed):
    with double_precision():
        exact = np.asarray(exact_gradient(listed.problem))
        off = _mean(listed, method(listed.problem, name, baseline), name, baseline, m).value - exact
        share = np.linalg.norm(off) / np.linalg.norm(exact)
    assert share > 0.001 if BIASED & {name, baseline} else share < 1e-8


def test_in_large_batches_every_bias_that_is_the_batchs_doing_is_gone(listed):
    with double_precision():
        exact = np.asarray(exact_gradient(listed.problem))
        for name, baseline in (("total-return", "mean"), ("reward-to-go", "time-mean"), ("self-normalized", "none")):
            one = method(listed.problem, name, baseline)
            few, many = (np.linalg.norm(_mean(listed, one, name, baseline, m).value - exact) for m in (100, 10_000))
            np.testing.assert_allclose(few / many, 100, rtol=0.1)
