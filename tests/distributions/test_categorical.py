"""The categorical distribution against SciPy, sums over all actions, and its own samples."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.special
import scipy.stats

from logpi.distributions.categorical import Categorical
from logpi.distributions.protocol import Distribution

RNG = np.random.default_rng(1)
LOGITS, OTHER = (jnp.asarray(2 * RNG.normal(size=(7, 5)), jnp.float32) for _ in range(2))
P, Q = Categorical(LOGITS), Categorical(OTHER)
PROBS, OTHER_PROBS = (scipy.special.softmax(np.asarray(z, float), axis=-1) for z in (LOGITS, OTHER))


def drawn(logits, count, seed=0):
    """Many samples from one distribution."""
    draw = lambda key: Categorical(jnp.broadcast_to(logits, (count, *logits.shape))).sample(key)
    return jax.jit(draw)(jr.key(seed))


def of(*weights):
    return Categorical(jnp.log(jnp.array(weights)))


def test_offers_all_that_a_distribution_offers():
    assert isinstance(P, Distribution)


@pytest.mark.parametrize("action", range(5))
def test_log_prob_is_log_softmax(action):
    got = P.log_prob(jnp.full(7, action))
    np.testing.assert_allclose(got, np.log(PROBS[:, action]), rtol=1e-5, atol=1e-6)


def test_entropy_is_that_of_scipy():
    np.testing.assert_allclose(P.entropy(), scipy.stats.entropy(PROBS, axis=-1), rtol=1e-5)


def test_kl_is_that_of_scipy():
    np.testing.assert_allclose(P.kl(Q), scipy.stats.entropy(PROBS, OTHER_PROBS, axis=-1), rtol=1e-5)


def test_kl_to_itself_is_zero():
    np.testing.assert_array_equal(P.kl(P), 0.0)


def test_kl_is_positive_between_different_distributions():
    assert jnp.all(P.kl(Q) > 0) and jnp.all(Q.kl(P) > 0)


def test_kl_averages_under_self_not_under_other():
    half, quarter = of(0.5, 0.5), of(0.75, 0.25)
    np.testing.assert_allclose(half.kl(quarter), 0.5 * np.log(4 / 3), rtol=1e-5)
    np.testing.assert_allclose(quarter.kl(half), 0.75 * np.log(1.5) + 0.25 * np.log(0.5), rtol=1e-5)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("row", range(3))
def test_kl_is_the_mean_log_ratio_of_samples(row):
    action = drawn(LOGITS[row], 1_000_000, seed=row)
    log_ratio = np.log(PROBS[row] / OTHER_PROBS[row])[action]
    error = log_ratio.std() / np.sqrt(len(log_ratio))
    assert abs(log_ratio.mean() - P.kl(Q)[row]) < 4 * error


def test_the_mean_score_is_zero():
    score = jax.vmap(jax.grad(lambda z, a: Categorical(z).log_prob(a)), (None, 0))(LOGITS[0], jnp.arange(5))
    np.testing.assert_allclose(PROBS[0] @ np.asarray(score), 0, atol=1e-6)


def test_the_score_is_one_hot_less_probability():
    score = jax.grad(lambda z: Categorical(z).log_prob(jnp.int32(3)))(LOGITS[0])
    np.testing.assert_allclose(score, np.eye(5)[3] - PROBS[0], atol=1e-6)


def test_the_mean_of_f_times_score_is_the_gradient_of_the_mean_of_f():
    f = jnp.array([1.0, -2.0, 0.5, 3.0, -1.0])
    score = jax.vmap(jax.grad(lambda z, a: Categorical(z).log_prob(a)), (None, 0))(LOGITS[0], jnp.arange(5))
    exact = jax.grad(lambda z: jax.nn.softmax(z) @ f)(LOGITS[0])
    np.testing.assert_allclose((PROBS[0] * np.asarray(f)) @ np.asarray(score), exact, atol=1e-5)


def test_importance_weights_turn_one_mean_into_another():
    f = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    every = jnp.arange(5)
    ratio = np.exp(Categorical(jnp.tile(OTHER[:1], (5, 1))).log_prob(every))
    ratio /= np.exp(Categorical(jnp.tile(LOGITS[:1], (5, 1))).log_prob(every))
    np.testing.assert_allclose(PROBS[0] @ (ratio * f), OTHER_PROBS[0] @ f, rtol=1e-5)


def test_sampled_frequencies_are_the_probabilities():
    counts = np.bincount(drawn(LOGITS[0], 100_000), minlength=5)
    assert scipy.stats.chisquare(counts, 100_000 * PROBS[0]).pvalue > 1e-4


def test_all_of_300_actions_are_sampled_equally_often():
    action = drawn(jnp.zeros(300), 100_000)
    assert scipy.stats.chisquare(np.bincount(action, minlength=300)).pvalue > 1e-4


def test_actions_beyond_127_keep_their_number():
    p = Categorical(jnp.where(jnp.arange(300) == 299, 50.0, 0.0))
    action = p.sample(jr.key(0))
    assert action == 299 == p.mode()
    np.testing.assert_allclose(p.log_prob(action), 0, atol=1e-6)


def test_rows_of_a_batch_are_drawn_independently():
    first, second = drawn(jnp.zeros((2, 4)), 100_000).T
    table = np.histogram2d(first, second, bins=4)[0]
    assert scipy.stats.chi2_contingency(table).pvalue > 1e-4


def test_a_sample_is_pushed_noise(key):
    np.testing.assert_array_equal(P.sample(key), P.push(P.noise(key)))


def test_noise_does_not_depend_on_the_logits(key):
    np.testing.assert_array_equal(P.noise(key), Q.noise(key))


def test_the_mode_is_the_most_probable_action():
    np.testing.assert_array_equal(P.mode(), PROBS.argmax(axis=-1))


def test_the_environment_gets_the_action_itself(key):
    action = P.sample(key)
    assert P.to_env(action) is action


def test_adding_a_constant_to_all_logits_changes_nothing():
    shifted = Categorical(LOGITS + 100)
    np.testing.assert_allclose(P.kl(shifted), 0, atol=1e-5)
    np.testing.assert_allclose(shifted.entropy(), P.entropy(), rtol=1e-4)


def test_huge_logits_give_finite_values_and_gradients():
    def figures(z):
        p = Categorical(z)
        return p.log_prob(jnp.int32(0)) + p.entropy() + p.kl(Categorical(-z))

    value, gradient = jax.value_and_grad(figures)(jnp.array([1e4, -1e4, 0.0]))
    assert jnp.isfinite(value) and jnp.all(jnp.isfinite(gradient))


def test_a_batch_is_its_rows_under_vmap_and_jit():
    action = P.mode()
    figures = lambda p, q, a: (p.log_prob(a), p.entropy(), p.kl(q), p.mode())
    rows = jax.jit(jax.vmap(figures))(P, Q, action)
    for got, want in zip(rows, figures(P, Q, action), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_gradients_of_entropy_and_kl_are_those_of_their_definitions():
    p, q = (lambda z: jax.nn.softmax(z)), jnp.asarray(OTHER_PROBS[0], jnp.float32)
    entropy = jax.grad(lambda z: Categorical(z).entropy())(LOGITS[0])
    np.testing.assert_allclose(entropy, jax.grad(lambda z: -p(z) @ jnp.log(p(z)))(LOGITS[0]), atol=1e-5)
    kl = jax.grad(lambda z: Categorical(z).kl(Categorical(OTHER[0])))(LOGITS[0])
    np.testing.assert_allclose(kl, jax.grad(lambda z: p(z) @ jnp.log(p(z) / q))(LOGITS[0]), atol=1e-5)


MASK = jnp.asarray(np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]], bool))
LEGAL, LEGAL_OTHER = (Categorical(jnp.where(MASK, z[:4], -jnp.inf)) for z in (LOGITS, OTHER))
KEPT, OTHER_KEPT = (p[:4] * np.asarray(MASK) for p in (PROBS, OTHER_PROBS))
KEPT, OTHER_KEPT = (p / p.sum(axis=-1, keepdims=True) for p in (KEPT, OTHER_KEPT))


def test_what_is_legal_shares_all_the_probability():
    probability = np.stack([np.exp(LEGAL.log_prob(jnp.full(4, a))) for a in range(5)], axis=-1)
    np.testing.assert_allclose(probability, KEPT, rtol=1e-5)
    assert np.all(probability[~np.asarray(MASK)] == 0)


def test_illegal_actions_add_nothing_to_entropy_or_kl():
    np.testing.assert_allclose(LEGAL.entropy(), scipy.stats.entropy(KEPT, axis=-1), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        LEGAL.kl(LEGAL_OTHER), scipy.stats.entropy(KEPT, OTHER_KEPT, axis=-1), rtol=1e-5, atol=1e-7
    )


def test_illegal_actions_are_never_sampled_and_never_the_mode():
    for row in range(4):
        counts = np.bincount(drawn(LEGAL.logits[row], 100_000, seed=row), minlength=5)
        legal = np.asarray(MASK[row])
        assert counts[~legal].sum() == 0
        assert legal.sum() == 1 or scipy.stats.chisquare(counts[legal], 100_000 * KEPT[row][legal]).pvalue > 1e-4
    np.testing.assert_array_equal(LEGAL.mode(), KEPT.argmax(axis=-1))


def test_no_gradient_reaches_an_illegal_logit():
    def figures(z, mask):
        p = Categorical(jnp.where(mask, z, -jnp.inf))
        return p.log_prob(p.mode()) + p.entropy() + p.kl(Categorical(jnp.where(mask, -z, -jnp.inf)))

    slope = jax.jit(jax.vmap(jax.grad(figures)))(LOGITS[:4], MASK)
    assert jnp.all(jnp.isfinite(slope)) and jnp.all(jnp.where(MASK, 0, slope) == 0)
    assert jnp.all(jnp.any(jnp.where(MASK, slope, 0) != 0, axis=-1) | (MASK.sum(axis=-1) == 1))


def test_what_is_forbidden_to_the_other_alone_is_infinitely_far():
    assert jnp.isposinf(P.kl(Categorical(LOGITS.at[:, 2].set(-jnp.inf)))).all()
