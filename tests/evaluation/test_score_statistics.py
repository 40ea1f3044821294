"""Scores over seeds: hand values, and an interval that covers as often as it says."""

import numpy as np
import pytest

from logpi.evaluation.statistics import bootstrap_interval, interquartile_mean


def test_the_interquartile_mean_of_sixteen_numbers():
    assert interquartile_mean(np.arange(16)) == 7.5
    assert interquartile_mean(np.array([0.0, 1, 2, 1000])) == 1.5


@pytest.mark.parametrize("n", [1, 2, 3])
def test_with_fewer_than_four_it_is_the_mean(n):
    assert interquartile_mean(np.arange(n)) == np.arange(n).mean()


def test_equal_scores_have_an_interval_of_no_width():
    assert bootstrap_interval(np.full((5, 2), 3.0)) == (3.0, 3.0)


def test_the_same_scores_have_the_same_interval():
    scores = np.random.default_rng(1).normal(size=10)
    assert bootstrap_interval(scores) == bootstrap_interval(scores)


def test_tasks_are_drawn_from_their_own_scores():
    """Were seeds drawn across tasks, the spread between tasks would widen the interval."""
    apart = np.stack([np.zeros(8), np.full(8, 100.0)], axis=1)
    assert bootstrap_interval(apart, np.mean) == (50.0, 50.0)


@pytest.mark.thorough
def test_the_interval_covers_about_as_often_as_it_says():
    """Ten normal scores, 500 times: of so few, a percentile bootstrap is known to cover a little less than 95 %."""
    rng = np.random.default_rng(2)
    inside = [
        low <= 0 <= high for low, high in (bootstrap_interval(rng.normal(size=10), resamples=400) for _ in range(500))
    ]
    assert 0.90 <= np.mean(inside) <= 0.97
