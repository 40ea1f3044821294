"""Who is compared with whom."""

import numpy as np
import pytest

from logpi.errors import LogpiError
from logpi.perturbation.differences import central_differences, forward_differences


@pytest.mark.parametrize(
    ("pairing", "members", "count"),
    [(central_differences, 6, 3), (forward_differences, 6, 5), (forward_differences, 2, 1)],
)
def test_each_difference_spans_its_own_direction_and_no_other(pairing, members, count):
    layout = pairing(members)
    moves = np.eye(count)
    places = layout.offset[:, None] * moves[layout.row]
    np.testing.assert_allclose((places[layout.plus] - places[layout.minus]) / layout.separation, moves)


def test_central_pairs_are_neighbors_either_side_of_theta():
    layout = central_differences(6)
    np.testing.assert_array_equal(layout.plus // 2, layout.minus // 2)
    np.testing.assert_array_equal(layout.offset[layout.plus], -layout.offset[layout.minus])


def test_forward_compares_all_with_theta_itself():
    layout = forward_differences(6)
    assert set(layout.minus.tolist()) == {0} and layout.offset[0] == 0


@pytest.mark.parametrize(
    ("pairing", "members"), [(central_differences, 7), (central_differences, 0), (forward_differences, 1)]
)
def test_a_population_that_does_not_fit_is_refused(pairing, members):
    with pytest.raises(LogpiError, match=f"num_envs is {members}; allowed"):
        pairing(members)
