"""Returns and lengths of episodes are exact, also of those that begin in one rollout and end in another."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from logpi.core.double import Double, host_metrics
from logpi.rollout.statistics import episode_statistics
from logpi.types import Trajectory


def scripted(episodes, dummies):
    """Episodes of length and return 1, 2, …, one after the other: [reward, time, done, valid] a row.

    With `dummies`, a row that is no transition follows each end and carries a reward that must not count.
    """
    for k in range(1, episodes + 1):
        for t in range(k):
            yield 1.0, t, t == k - 1, True
        if dummies:
            yield 1e6, 0, False, False


def trajectory(columns):
    """The figures' fields of a trajectory; the others are nothing."""
    reward, time, done, valid = np.array(columns).transpose(2, 1, 0)
    none = jnp.zeros((*reward.shape, 0))
    flags = jnp.array(done, bool)
    return Trajectory(
        obs=none,
        action=none,
        log_prob=jnp.zeros(reward.shape),
        reward=jnp.array(reward, jnp.float32),
        next_obs=none,
        time=jnp.array(time, jnp.int32),
        terminated=flags.at[::2].set(False),
        truncated=flags.at[1::2].set(False),
        valid=jnp.array(valid, bool),
    )


def windows(tau, length):
    """The trajectory in pieces, and the figures of each."""
    running = Double.zeros(tau.reward.shape[1])
    for start in range(0, tau.reward.shape[0], length):
        rows = slice(start, start + length)
        part = jax.tree.map(operator.itemgetter(rows), tau)
        figures, running = episode_statistics(part, running)
        figures = host_metrics(jax.device_get(figures))
        yield part, {name: float(x) for name, x in figures.items()}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("dummies", [False, True], ids=["plain", "with dummy rows"])
@pytest.mark.parametrize("length", [3, 7, 100])
def test_returns_and_lengths_are_those_of_the_script(length, dummies):
    """Two environments: one plays returns 1 … 6, the other the same script 2 rows later. Each end shows once."""
    rows = list(scripted(6, dummies))
    tau = trajectory([rows, [(0.0, 0, False, False)] * 2 + rows[:-2]])
    seen = []
    for part, figures in windows(tau, length):
        ended = np.asarray(part.time + 1)[np.asarray(part.done & part.valid)]
        assert figures["steps"] == np.asarray(part.valid).sum()
        assert figures["episodes"] == len(ended)
        seen += ended.tolist()
        if len(ended):
            assert figures["return_min"] == min(ended) and figures["return_max"] == max(ended)
            np.testing.assert_allclose([figures["return_mean"], figures["length_mean"]], np.mean(ended), rtol=1e-6)
            error = np.std(ended, ddof=1) / np.sqrt(len(ended)) if len(ended) > 1 else np.nan
            np.testing.assert_allclose(figures["return_error"], error, rtol=1e-5)
        else:
            assert all(np.isnan(figures[name]) for name in figures if name not in ("steps", "episodes"))
    assert sorted(seen) == sorted([*range(1, 7), *range(1, 6)])  # the second has not finished its last


def test_whole_episodes_have_the_sum_of_their_rewards():
    rows = list(scripted(3, dummies=False))
    pad = [(5.0, 0, False, False)]
    tau = trajectory([rows[:1] + 2 * pad, rows[1:3] + pad, rows[3:6]])
    figures = host_metrics(jax.device_get(episode_statistics(tau, Double.zeros(3))[0]))
    assert (figures["episodes"], figures["return_mean"], figures["length_mean"], figures["steps"]) == (3, 2, 2, 6)


def test_a_return_beyond_the_digits_of_a_float_is_exact_also_across_windows():
    """2²⁴ and then five ones, in windows of two rows: one float would stand still at 2²⁴."""
    rewards = [2.0**24, 1.0, 1.0, 1.0, 1.0, 1.0]
    tau = trajectory(
        [[(x, t, t == 5, True) for t, x in enumerate(rewards)], [(0.5, 0, t == 5, True) for t in range(6)]]
    )
    figures = [figures for _, figures in windows(tau, 2)][-1]
    assert (figures["return_max"], figures["return_min"]) == (2**24 + 5, 3.0)
    assert figures["return_mean"] == (2**24 + 5 + 3) / 2
