"""Wrappers with statistics of their own are named, with logpi's option, wherever they are in the chain."""

import gymnasium
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import NormalizeObservation, NormalizeReward, RecordEpisodeStatistics, vector

from logpi.environments.registry import make

plain = lambda: gymnasium.make("CartPole-v1")
inner = lambda: RecordEpisodeStatistics(NormalizeReward(plain()))


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (plain, []),
        (RecordEpisodeStatistics(plain()), []),
        (inner, ["normalize_returns"]),
        (lambda: NormalizeObservation(inner()), ["normalize_observations", "normalize_returns"]),
        (NormalizeObservation(plain()), ["normalize_observations"]),
        (SyncVectorEnv([inner] * 2), ["normalize_returns"]),
        (vector.NormalizeObservation(SyncVectorEnv([inner] * 2)), ["normalize_observations", "normalize_returns"]),
        (vector.NormalizeReward(SyncVectorEnv([plain] * 2)), ["normalize_returns"]),
    ],
)
def test_each_is_named_with_the_option_to_use_instead(source, options):
    warnings = make(source, 2).spec.warnings
    assert len(warnings) == len(options)
    assert all(f"use {option}=True instead" in line for line, option in zip(warnings, options, strict=True))
