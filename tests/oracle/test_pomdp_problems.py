"""The named POMDPs pay and show what their sources say."""

import jax.numpy as jnp
import numpy as np
import pytest
from paths import drawn_pomdp, recurrent

from logpi.errors import LogpiError
from logpi.oracle.action_augmented import action_augmented
from logpi.oracle.pomdp import POMDP
from logpi.oracle.pomdp_problems import repeat_first, t_maze, tiger


def test_the_tiger_pays_and_tells():
    pomdp = tiger(accuracy=0.7)
    np.testing.assert_allclose(pomdp.reward[:, :, 0], [[-1, -100, 10], [-1, 10, -100]])
    np.testing.assert_allclose(pomdp.observation[0], [[0.7, 0.3, 0], [0.3, 0.7, 0]])
    np.testing.assert_allclose(pomdp.transition[:, 1], 0.5)


def test_the_maze_pays_at_its_end():
    """Cue up: right, right and up pays 4 after two free steps; down −0.1; walls −0.1. The cue is seen at the start."""
    pomdp = t_maze(2)
    assert (pomdp.states, pomdp.actions, pomdp.observations) == (7, 4, 4)
    up, right, down, left = range(4)
    after = lambda s, a: (int(pomdp.transition[s, a].argmax()), float(pomdp.reward[s, a].sum()))
    tenth = pytest.approx(-0.1)
    assert after(0, right) == (1, 0) and after(1, right) == (2, 0) and after(1, left) == (0, 0)
    assert after(2, up) == (6, 4) and after(2, down) == (6, tenth) and after(5, down) == (6, 4)
    assert after(0, up) == (0, tenth) and after(0, left) == (0, tenth) and after(5, right) == (5, tenth)
    assert pomdp.first_observation.argmax(axis=1).tolist()[:6] == [0, 2, 3, 1, 2, 3]
    assert np.flatnonzero(pomdp.terminal).tolist() == [6] and pomdp.initial[jnp.array([0, 3])].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(("delay", "cues"), [(0, 2), (3, 3)])
def test_only_memory_repeats_the_cue(double, delay, cues):
    """Without memory a policy is worth 1 / cues; one that repeats what it sees at once is enough without delay."""
    pomdp = repeat_first(delay, cues)
    repeats = 100.0 * np.eye(cues + 2, cues)
    assert pomdp.horizon == delay + 1
    np.testing.assert_allclose(pomdp.utility(repeats), 1 if delay == 0 else 1 / cues)
    np.testing.assert_allclose(pomdp.optimal().utility, 1)
    shown = pomdp.histories().observation[:, 0].tolist()
    assert shown == ([0] if delay == 0 else [0, cues, cues, cues + 1])


def test_sizes_that_are_no_problem_say_so():
    for make, what in ((lambda: t_maze(0), "length is 0"), (lambda: repeat_first(cues=1), "cues is 1")):
        with pytest.raises(LogpiError, match=f"{what}; allowed: a whole number ≥"):
            make()


def test_the_last_action_may_be_shown(double, key):
    """A policy that ignores it is worth the same; V of a history is then V of a belief."""
    pomdp = drawn_pomdp(3)
    shown = action_augmented(pomdp)
    policy = recurrent(pomdp, key)

    class Ignores:
        def initial(self):
            return policy.initial()

        def __call__(self, obs, memory):
            return policy(obs.reshape(3, 2).sum(axis=0), memory)

    assert shown.observations == 6 and shown.histories().exists.sum(axis=1).tolist() == [2, 8, 32]
    np.testing.assert_allclose(shown.utility(Ignores()), pomdp.utility(policy), rtol=1e-12)
    np.testing.assert_allclose(shown.optimal().utility, pomdp.optimal().utility, rtol=1e-12)
    d = np.asarray(shown.occupancy(Ignores()))[shown.histories().find(1, 1 * 2 + 2 + 0)]
    np.testing.assert_allclose(d / d.sum(), pomdp.belief([1], [1, 0]), rtol=1e-10)


GOOD = {
    "transition": np.full((2, 3, 2), 0.5),
    "reward": np.zeros((2, 3)),
    "initial": [0.5, 0.5],
    "observation": np.full((3, 2, 4), 0.25),
    "gamma": 0.9,
    "first_observation": np.full((2, 4), 0.25),
}
WRONG = {
    "observation has shape": {"observation": np.full((2, 3, 4), 0.25)},
    r"observation\[1, 0\] sums to 0.5": {"observation": np.full((3, 2, 4), [[[0.25]], [[0.125]], [[0.25]]])},
    r"observation\[0, 0, 0\] is -0.25": {"observation": np.full((3, 2, 4), [-0.25, 0.75, 0.25, 0.25])},
    "first_observation has shape": {"first_observation": np.full((2, 2, 4), 0.25)},
    "O ≥ 1 in both tables": {"first_observation": np.full((2, 5), 0.2)},
    "first_observation is missing": {"first_observation": None},
    "reward has shape": {"reward": np.zeros((3, 2))},
    "gamma is 1 with an infinite horizon": {"gamma": 1.0},
    "observation is no table": {"observation": "left"},
}


@pytest.mark.parametrize("message", WRONG)
def test_tables_that_are_no_pomdp_say_why(message):
    POMDP(**GOOD)
    with pytest.raises(LogpiError, match=message):
        POMDP(**{**GOOD, **WRONG[message]})


def test_an_observation_of_the_state_alone_is_the_same_after_every_action():
    short = POMDP(**{**GOOD, "observation": np.full((2, 4), 0.25), "first_observation": None})
    np.testing.assert_allclose(short.observation, GOOD["observation"])
    np.testing.assert_allclose(short.first_observation, GOOD["first_observation"])
