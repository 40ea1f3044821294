"""Flags and times of a window, from the list of episode ends."""

import numpy as np

from logpi.rollout.window import _write_flags


def flags(length, copies):
    of = lambda dtype: np.ones((length, copies), dtype)
    return {"reward": of(np.float32), "time": of(np.int32)} | {
        name: of(bool) for name in ("terminated", "truncated", "valid")
    }


def test_times_go_on_from_before_and_begin_anew_after_each_end():
    rows = flags(5, 2)
    ends = [(1, 0, True, True), (3, 0, False, True), (4, 1, False, True)]
    following = _write_flags(rows, np.array([7, 0], np.int32), ends)
    assert rows["time"].T.tolist() == [[7, 8, 0, 1, 0], [0, 1, 2, 3, 4]]
    assert following.tolist() == [1, 0]
    assert np.argwhere(rows["terminated"]).tolist() == [[1, 0]]
    assert np.argwhere(rows["truncated"]).tolist() == [[3, 0], [4, 1]]
    assert rows["valid"].all()


def test_a_copy_that_fails_truncates_its_episode_in_the_row_before_and_no_other():
    rows = flags(5, 3)
    _write_flags(
        rows,
        np.zeros(3, np.int32),
        [(0, 2, False, False), (2, 0, True, True), (3, 0, False, False), (3, 1, False, False)],
    )
    assert np.argwhere(~rows["valid"]).tolist() == [[0, 2], [3, 0], [3, 1]]
    assert np.argwhere(rows["terminated"]).tolist() == [[2, 0]]
    assert np.argwhere(rows["truncated"]).tolist() == [[0, 2], [2, 1], [3, 0], [3, 1]]
