"""Instances: every copy is an environment of its own, whoever makes it."""

import gymnasium
import pytest
from builders import Jitter
from gymnasium.vector import SyncVectorEnv

from logpi.environments.registry import make
from logpi.errors import LogpiError

SAME = "its factory gave the same instance twice"


@pytest.mark.parametrize("wrap", [lambda env: env, gymnasium.Wrapper])
def test_copies_that_are_one_instance_are_refused(wrap):
    one = Jitter()
    with pytest.raises(LogpiError, match=SAME):
        make(lambda: wrap(one), 2).reset(0)
    with pytest.raises(LogpiError, match=SAME):
        make(SyncVectorEnv([lambda: wrap(one)] * 2), 2)


def test_an_instance_in_use_is_no_copy_of_others_until_it_is_closed():
    one = Jitter()
    training = make(lambda: one, 1)
    with pytest.raises(LogpiError, match=SAME):
        make(lambda: one, 1)
    training.reset(0)
    training.close()
    again = make(lambda: one, 1)
    del again  # forgotten without being closed
    make(lambda: one, 1)


def test_an_environment_handed_over_may_be_handed_over_again():
    one = Jitter()
    first, second = make(one, 1), make(one, 1)
    assert (first.reset(0) == second.reset(0)).all()
