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


class ByMethod(Alternating):
    """The same masks by a method, as sb3-contrib asks for them; it must not be asked where nobody acts any more."""

    def _answer(self):
        return np.full(1, self._t, np.float32), {}

    def action_masks(self):
        assert self._t < self._length
        return np.arange(3) == self._t % 3


@pytest.mark.parametrize("around", [lambda env: env, lambda env: gymnasium.wrappers.TimeLimit(env, 4)])
def test_a_mask_may_be_given_by_a_method_of_the_environment(around):
    """`ByMethod` asserts that nothing else is sent; also from inside other wrappers."""
    environment = Gymnasium(lambda: logpi.with_action_masks(around(ByMethod())), N, "legal", 9)
    obs = environment.reset(0)
    for t in range(10):
        np.testing.assert_array_equal(obs["action_mask"], np.tile(np.arange(3) == t % 4 % 3, (N, 1)))
        obs = environment.step(np.full(N, t % 4 % 3, np.int32), np.zeros(N, bool)).obs


class Silent(Alternating):
    """No mask at all."""

    def _answer(self):
        return np.full(1, self._t, np.float32), {"legal_actions": [0]}


@pytest.mark.parametrize("mode", ["loop", AutoresetMode.SAME_STEP], ids=str)
def test_an_environment_without_any_mask_is_refused(mode):
    """Nothing would be masked, which is not what was asked for."""
    wrap = logpi.with_action_masks
    environment = (
        Gymnasium(lambda: wrap(Silent()), N, "silent")
        if mode == "loop"
        else GymnasiumVector(wrap(SyncVectorEnv([Silent] * N, autoreset_mode=mode)), "silent")
    )
    environment.reset(0)
    with pytest.raises(LogpiError, match=r"no action mask: info has no 'action_mask' .* a method action_masks\(\)"):
        environment.step(np.zeros(N, np.int32), np.zeros(N, bool))


MASKS = {
    "one number": [1],
    "indices": np.array([0, 2]),
    "one more": np.ones(4),
    "two rows": np.ones((2, 3)),
    "text": "all",
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_a_mask_of_another_length_is_refused(mask):
    """One number would be broadcast over all actions."""

    class Wrong(Alternating):
        def _answer(self):
            return np.full(1, self._t, np.float32), {"action_mask": mask}

    with pytest.raises(LogpiError, match="allowed: 3 numbers, 0 for each illegal action"):
        Gymnasium(lambda: logpi.with_action_masks(Wrong()), N, "wrong").reset(0)
