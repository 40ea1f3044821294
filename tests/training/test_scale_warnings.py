"""Numbers at a scale that networks learn badly from are said, with the option that scales them."""

import re

import gymnasium
import numpy as np
import pytest
from counting import FLAT
from gymnasium import spaces

import logpi
from logpi.policies.images import unscaled_images
from logpi.training.scale_warnings import LARGE_REWARD, LargeRewardWarning

byte = lambda *shape: spaces.Box(0, 255, shape, np.uint8)
SAID = {
    "a gray image": (byte(84, 84), r"channel axis, \(84, 84, 1\)"),
    "a stack of frames": (byte(4, 84, 84, 3), "into that of the channels"),
    "a memory of bytes": (byte(128), "divide them by 255"),
    "an image of floats": (spaces.Box(0, 255, (84, 84, 3)), "as uint8"),
    "inside a dict": (spaces.Dict(a=spaces.Tuple((FLAT, byte(8, 8)))), "channel axis"),
}
UNSAID = {
    "an image": byte(84, 84, 3),
    "stacked gray images": byte(4, 84, 84),
    "numbers": FLAT,
    "shares": spaces.Box(0, 1, (84, 84)),
    "signed numbers": spaces.Box(-255, 255, (84, 84)),
    "a vector of floats": spaces.Box(0, 255, (3,)),
    "a mask": spaces.Dict(a=FLAT, action_mask=byte(5)),
    "an index": spaces.Discrete(500),
}


@pytest.mark.parametrize(("space", "advice"), SAID.values(), ids=SAID)
def test_what_looks_like_an_image_and_is_not_scaled_is_found(space, advice):
    [(_, _, found)] = unscaled_images(space)
    assert re.search(advice, found)


@pytest.mark.parametrize("space", UNSAID.values(), ids=UNSAID)
def test_nothing_else_is_found(space):
    assert unscaled_images(space) == []


@pytest.mark.parametrize(("rewards", "said"), [(-1e4, True), (1e6, True), (LARGE_REWARD, True), (-16.0, False)])
def test_large_rewards_are_said_once(rewards, said):
    """In the first row in which an episode has ended."""
    lines = []
    warning = LargeRewardWarning(lines.append)
    for row in ({"return_mean": None}, {"return_mean": 200 * rewards, "length_mean": 200.0}):
        warning.record(row)
    warning.record({"return_mean": 1e9, "length_mean": 1.0})
    assert len(lines) == said and all("normalize_returns" in line for line in lines)


class Loud(gymnasium.Env):
    """A gray image, and one step that pays a million."""

    observation_space, action_space = byte(3, 3), spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros((3, 3), np.uint8), {}

    def step(self, action):
        return np.zeros((3, 3), np.uint8), 1e6, True, False, {}


@pytest.mark.thorough
def test_a_run_says_both_unless_its_options_scale_them(tmp_path, capsys):
    recipe = logpi.a2c(num_envs=2, num_steps=4, hidden=(4,))
    logpi.train(Loud, recipe, steps=8, evaluations=0, workers=0, out=tmp_path / "loud")
    said = capsys.readouterr().err
    assert said.count("warning: observation space is Box(0, 255, (3, 3), uint8)") == 1
    assert said.count("warning: rewards are large, 1,000,000 a step") == 1


def test_the_line_about_rewards_is_for_runs_that_the_option_would_change():
    assert LargeRewardWarning.applies({"normalize_returns": False}, "V")
    assert not LargeRewardWarning.applies({"normalize_returns": True}, "V")
    assert not LargeRewardWarning.applies({"normalize_returns": False}, None)
    assert not LargeRewardWarning.applies({}, "V")
