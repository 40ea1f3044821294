"""Masks of actions move from info into the observations, whoever steps the environment."""

import gymnasium
import numpy as np
import pytest
from counting import FLAT
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import logpi
from logpi.environments.gymnasium import Gymnasium
from logpi.environments.gymnasium_vector import GymnasiumVector
from logpi.errors import LogpiError

N = 3
MODES = ["loop", "wrapped inside", *AutoresetMode]


class Alternating(gymnasium.Env):
    """Only action t mod 3 is legal, and nothing else may come; ends after four steps, where no mask is given."""

    observation_space, action_space = FLAT, spaces.Discrete(3)

    def _answer(self):
        info = {} if self._t == 4 else {"action_mask": (np.arange(3) == self._t % 3).astype(np.int8)}
        return np.full(1, self._t, np.float32), info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._t = 0
        return self._answer()

    def step(self, action):
        assert action == self._t % 3
        self._t += 1
        obs, info = self._answer()
        return obs, float(self._t), self._t == 4, False, info


def adapter(mode):
    wrapped = lambda: logpi.legal_actions(Alternating())
    if mode == "loop":
        return Gymnasium(wrapped, N, "legal", 9)
    if mode == "wrapped inside":
        return GymnasiumVector(SyncVectorEnv([wrapped] * N, autoreset_mode=AutoresetMode.SAME_STEP), "legal")
    return GymnasiumVector(logpi.legal_actions(SyncVectorEnv([Alternating] * N, autoreset_mode=mode)), "legal")


@pytest.mark.parametrize("mode", MODES, ids=lambda m: getattr(m, "name", m))
def test_the_mask_is_the_one_of_the_moment(mode):
    """Through three ends; after the last step nothing is said, so everything is legal."""
    environment = adapter(mode)
    obs, ends = environment.reset(0), 0
    for _ in range(14):
        t = int(obs["observation"][0, 0])
        np.testing.assert_array_equal(obs["action_mask"], np.tile((np.arange(3) == t % 3) | (t == 4), (N, 1)))
        step = environment.step(np.full(N, t % 3, np.int32), np.zeros(N, bool))
        if step.terminated.all():
            ends += 1
            np.testing.assert_array_equal(step.next_obs["observation"], 4)
            np.testing.assert_array_equal(step.next_obs["action_mask"], 1)
        obs = step.obs
    assert ends >= 2


def test_policies_take_legal_actions_only(tmp_path):
    """`Alternating` asserts it, while training and evaluating."""
    algorithm = logpi.a2c(num_envs=2, rollout_length=8, hidden=(4,))
    run = logpi.train(lambda: logpi.legal_actions(Alternating()), algorithm, steps=32, evaluations=0, out=tmp_path)
    assert run.metrics[-1]["steps"] == 32
    assert run.metrics[-1]["entropy"] < 1e-6  # one action alone is legal


def test_the_masks_of_many_dimensions_stand_in_a_row():
    class Two(Alternating):
        action_space = spaces.MultiDiscrete([2, 3])

        def _answer(self):
            return {"a": np.zeros(1, np.float32)}, {"action_mask": (np.int8([0, 1]), np.int8([1, 0, 1]))}

        observation_space = spaces.Dict(a=FLAT)

    obs, _ = logpi.legal_actions(Two()).reset()
    assert obs["action_mask"].tolist() == [0, 1, 1, 0, 1] and set(obs) == {"a", "action_mask"}


def test_an_action_space_without_masks_is_refused():
    with pytest.raises(LogpiError, match=r"has no masks; allowed: Discrete, MultiDiscrete"):
        logpi.legal_actions(gymnasium.make("Pendulum-v1"))
