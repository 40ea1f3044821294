"""What estimates say of their estimator, held to closed forms and to brute force."""

import numpy as np
import pytest
from scipy import stats

from logpi.lab.statistics import all_at_once, cosines, exactly, figures, sampled, share, spread

GRADIENT = np.array([3.0, -4.0, 12.0])


def noisy(number, size=1.0, seed=0, scale=1.0):
    """Estimates scale · (∇J + noise of covariance size² I)."""
    noise = np.random.default_rng(seed).normal(size=(number, GRADIENT.size))
    return scale * (GRADIENT[None] + size * noise)


def test_the_exact_gradient_is_an_estimator_without_fault():
    said = figures(np.tile(GRADIENT, (10, 1)), exactly(GRADIENT), GRADIENT)
    assert said.cosine == pytest.approx(1, abs=1e-12) and said.cosine_error == pytest.approx(0, abs=1e-12)
    assert said.bias == pytest.approx(0, abs=1e-12) and abs(said.z) < 1e-3
    assert said.variance == 0 and said.signal_to_noise == np.inf


def test_variance_and_its_interval_are_those_of_leaving_each_out():
    estimates = np.random.default_rng(1).gamma(2.0, size=(30, 4))
    low, variance, high = spread(estimates)
    trace = lambda x: np.trace(np.cov(x.T))
    without = np.array([trace(np.delete(estimates, i, axis=0)) for i in range(30)])
    error = np.sqrt(29 / 30 * np.sum((without - without.mean()) ** 2))
    np.testing.assert_allclose([low, variance, high], trace(estimates) + 1.96 * error * np.array([-1, 0, 1]))


def test_the_interval_of_a_share_is_that_of_leaving_a_batch_out_of_both():
    draw = np.random.default_rng(2)
    whole = draw.gamma(2.0, size=(30, 4))
    part = 0.5 * whole + 0.1 * draw.normal(size=(30, 4))
    trace = lambda x: np.trace(np.cov(x.T))
    without = [trace(np.delete(part, i, axis=0)) / trace(np.delete(whole, i, axis=0)) for i in range(30)]
    error = np.sqrt(29 / 30 * np.sum((np.array(without) - np.mean(without)) ** 2))
    want = trace(part) / trace(whole) + 1.96 * error * np.array([-1, 0, 1])
    np.testing.assert_allclose(share(part, whole), want)
    np.testing.assert_allclose(share(0.5 * whole, whole), [0.25] * 3)


def test_the_interval_of_a_share_holds_it_as_often_as_it_says():
    """Of two that share all of the noise of one, and of two that share none."""
    hits = np.zeros(2)
    for seed in range(400):
        whole, more = noisy(200, seed=seed), noisy(200, seed=1000 + seed) - GRADIENT[None]
        intervals = share(whole + more, whole), share(2.0**0.5 * more, whole)
        hits += [low <= 2 <= high for low, _, high in intervals]
    assert (hits / 400 >= 0.91).all() and (hits / 400 <= 0.98).all()


def test_the_interval_holds_the_variance_as_often_as_it_says():
    hits = 0
    for seed in range(400):
        low, _, high = spread(noisy(200, seed=seed))
        hits += low <= 3 <= high
    assert 0.91 <= hits / 400 <= 0.98


def test_bias_error_and_signal_are_those_of_the_noise_put_in():
    said = figures(noisy(10_000, size=2.0, scale=1.1), exactly(GRADIENT), 1.1 * GRADIENT)
    assert said.bias == pytest.approx(0.1, abs=4 * said.bias_error)
    assert said.bias_error == pytest.approx(1.1 * 2 / 13 / 100, rel=0.05)
    assert said.signal_to_noise == pytest.approx(13 / (2 * np.sqrt(3)), rel=0.05)
    assert abs(said.z) < 4 and said.p > 1e-3
    faint = figures(noisy(10_000, size=50.0), exactly(GRADIENT), GRADIENT)
    assert faint.signal_to_noise == pytest.approx(13 / (50 * np.sqrt(3)), rel=0.1)


def test_three_per_cent_too_much_is_seen():
    """With a standard error of 0.4 % of the gradient."""
    size = 0.004 * 13 * np.sqrt(1000)
    right, wrong = (figures(noisy(1000, size, scale=c), exactly(GRADIENT), GRADIENT) for c in (1.0, 1.03))
    assert abs(right.z) < 4 and right.p > 1e-4
    assert abs(wrong.z) > 4


def test_a_bias_across_the_gradient_is_seen_by_all_coordinates_at_once():
    across = np.array([4.0, 3.0, 0.0]) / 5
    shifted = noisy(2000) + 0.2 * across[None]
    said = figures(shifted, exactly(GRADIENT), GRADIENT)
    assert abs(said.z) < 4 and said.p < 1e-6


def test_where_nothing_is_wrong_p_is_uniform():
    p = [all_at_once(noisy(400, seed=seed), GRADIENT) for seed in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.thorough
def test_so_it_is_of_as_many_coordinates_as_there_can_be():
    """40 of them and 400 batches: χ² would reject far too often."""
    draw = np.random.default_rng(0)
    p = [all_at_once(draw.normal(size=(400, 40)), np.zeros(40)) for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_a_coordinate_in_which_something_happened_ten_times_is_left_out():
    """Its mean is not normal: that it is five of its standard errors off says nothing."""
    rare = 1000 * (np.random.default_rng(3).random(2000) < 0.005).astype(float)
    estimates = np.concatenate([noisy(2000), rare[:, None]], axis=1)
    off = rare.mean() + 5 * rare.std() / np.sqrt(2000)
    assert all_at_once(estimates, np.append(GRADIENT, off)) > 0.01


def test_coordinates_that_move_together_count_once():
    """The same noise twice, as in the logits of two actions."""
    one = noisy(500)
    twice = np.concatenate([one, -one], axis=1)
    both = np.concatenate([GRADIENT, -GRADIENT])
    np.testing.assert_allclose(all_at_once(twice, both), all_at_once(one, GRADIENT), rtol=1e-6)


def test_too_few_batches_for_a_covariance_say_nothing():
    assert all_at_once(noisy(29), GRADIENT) is None


def test_cosines_do_not_know_lengths_and_an_estimate_of_nothing_points_nowhere():
    estimates = np.stack([2 * GRADIENT, -GRADIENT, np.zeros(3)])
    np.testing.assert_allclose(cosines(estimates, GRADIENT), [1, -1, 0])


def test_a_mean_known_for_each_batch_takes_its_share_of_the_noise_away():
    """ĝ_i = c_i + noise, c_i known: what is left to explain is the noise alone."""
    known = noisy(400, size=5.0, seed=1)
    estimates = known + 0.1 * np.random.default_rng(2).normal(size=known.shape)
    alone, given = (figures(estimates, exactly(GRADIENT), GRADIENT, x) for x in (None, known))
    assert given.bias_error < 0.05 * alone.bias_error and abs(given.z) < 4
    assert given.variance == alone.variance


def test_a_sampled_reference_has_errors_of_its_own_and_says_so():
    """z is standard normal when both sides are sampled."""
    z = []
    for seed in range(300):
        reference = sampled(noisy(100, size=3.0, seed=seed))
        z.append(figures(noisy(100, size=3.0, seed=1000 + seed), reference).z)
    assert abs(np.mean(z)) < 4 / np.sqrt(300) and 0.85 < np.std(z) < 1.15
