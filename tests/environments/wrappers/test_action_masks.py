"""Masks of actions move from info into the observations, whoever steps the environment."""

import gymnasium
import numpy as np
import pytest
from counting import FLAT
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import logpi
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.errors import LogpiError

N = 3
MODES = ["loop", "wrapped inside", *AutoresetMode]


class Alternating(gymnasium.Env):
    """Only action t mod 3 is legal, and nothing else may come; ends after `length` steps, where no mask is given."""

    observation_space, action_space = FLAT, spaces.Discrete(3)

    def __init__(self, length=4):
        self._length = length

    def _answer(self):
        info = {} if self._t == self._length else {"action_mask": (np.arange(3) == self._t % 3).astype(np.int8)}
        return np.full(1, self._t, np.float32), info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return self._answer()

    def step(self, action):
        assert action == self._t % 3
        self._t += 1
        obs, info = self._answer()
        return obs, float(self._t), self._t == self._length, False, info


LENGTHS = np.array([4, 5, 7])


def adapter(mode):
    """Environments of different lengths, so that they end one by one."""
    plain = [lambda length=length: Alternating(length) for length in LENGTHS]
    wrapped = [lambda make=make: logpi.with_action_masks(make()) for make in plain]
    if mode == "loop":
        ready = iter(wrapped)
        return Gymnasium(lambda: next(ready)(), N, "legal", 9)
    if mode == "wrapped inside":
        return GymnasiumVector(SyncVectorEnv(wrapped, autoreset_mode=AutoresetMode.SAME_STEP), "legal")
    return GymnasiumVector(logpi.with_action_masks(SyncVectorEnv(plain, autoreset_mode=mode)), "legal")


def mask_at(t):
    """After the last step nothing is said, so everything is legal."""
    return (np.arange(3) == t[:, None] % 3) | (t == LENGTHS)[:, None]


@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_the_mask_is_the_one_of_the_moment(mode):
    """In every environment, through several ends of each."""
    environment = adapter(mode)
    obs, ends = environment.reset(0), np.zeros(N, int)
    for _ in range(24):
        t = obs["observation"][:, 0].astype(int)
        np.testing.assert_array_equal(obs["action_mask"], mask_at(t))
        step = environment.step((t % 3).astype(np.int32), np.zeros(N, bool))
        after = step.next_obs["observation"][:, 0].astype(int)
        np.testing.assert_array_equal(step.next_obs["action_mask"], mask_at(after))
        np.testing.assert_array_equal(after[step.terminated], LENGTHS[step.terminated])
        ends += step.terminated
        obs = step.obs
    assert ends.min() >= 2


@pytest.mark.thorough
def test_policies_take_legal_actions_only(tmp_path):
    """`Alternating` asserts it, while training and evaluating."""
    algorithm = logpi.a2c(num_envs=2, num_steps=8, hidden=(4,))
    run = logpi.train(lambda: logpi.with_action_masks(Alternating()), algorithm, steps=32, evaluations=0, out=tmp_path)
    assert run.metrics[-1]["steps"] == 32
    assert run.metrics[-1]["entropy"] < 1e-6  # one action alone is legal


def test_the_masks_of_many_dimensions_stand_in_a_row():
    class Two(Alternating):
        action_space = spaces.MultiDiscrete([2, 3])

        def _answer(self):
            return {"a": np.zeros(1, np.float32)}, {"action_mask": (np.int8([0, 1]), np.int8([1, 0, 1]))}

        observation_space = spaces.Dict(a=FLAT)

    obs, _ = logpi.with_action_masks(Two()).reset()
    assert obs["action_mask"].tolist() == [0, 1, 1, 0, 1] and set(obs) == {"a", "action_mask"}


def test_an_action_space_without_masks_is_refused():
    with pytest.raises(LogpiError, match=r"has no masks; allowed: Discrete, MultiDiscrete"):
        logpi.with_action_masks(gymnasium.make("Pendulum-v1"))
