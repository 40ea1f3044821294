"""The length of a call: one iteration at first, then as many as fit in the target time."""

from logpi.loop.call_length import MAX_GROWTH, CallLength


def after(length, *calls):
    for seconds, iterations in calls:
        length.update(seconds, iterations)
    return length.iterations


def test_one_iteration_at_first_and_then_as_many_as_fit():
    assert CallLength(1.0).iterations == 1
    assert after(CallLength(1.0), (0.5, 1)) == 2
    assert after(CallLength(1.0), (0.5, 1), (0.2, 2)) == 8
    assert after(CallLength(1.0), (0.001, 1)) == MAX_GROWTH


def test_iterations_that_grow_longer_are_fewer_to_a_call():
    assert after(CallLength(1.0), (0.1, 1), (0.4, 4), (2.0, 10)) == 5


def test_never_less_than_one():
    assert after(CallLength(1.0), (30.0, 1)) == 1 == after(CallLength(0.0), (0.001, 1))
