"""What a row says of the update before it."""

import math

from logpi.runs.recorder import realized_improvement


def test_the_change_of_the_mean_return_with_the_error_of_both():
    before, row = {"return_mean": 20.0, "return_error": 3.0}, {"return_mean": 25.0, "return_error": 4.0}
    assert realized_improvement(before, row) == {"realized_improvement": 5.0, "realized_improvement_error": 5.0}


def test_nothing_is_known_where_no_episode_ended():
    said = realized_improvement(
        {"return_mean": None, "return_error": None}, {"return_mean": 25.0, "return_error": None}
    )
    assert all(math.isnan(x) for x in said.values())
