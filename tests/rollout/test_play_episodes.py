"""Whole episodes under a policy: the same on the device and on the host, one a column, as often as one likes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from builders import behavior, walks

from logpi.rollout.play_episodes import EpisodePlayer, play_episodes


def played(environment, mu, episodes, seed):
    tau = play_episodes(environment, mu, episodes, seed)
    return jax.tree.map(
        lambda x: jnp.where(tau.valid.reshape(*tau.valid.shape, *[1] * (x.ndim - 2)), x, jnp.zeros_like(x)), tau
    )


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("continuous", [False, True], ids=["discrete", "gaussian"])
def test_episodes_are_the_same_on_the_device_and_on_the_host(key, continuous):
    on_device, on_host = walks(4, 12, continuous)
    mu = behavior(on_device, key)
    one, other = (played(environment, mu, 7, 3) for environment in (on_device, on_host))
    assert one.complete and one.reward.shape == (12, 7)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("k", [0, 1], ids=["device", "host"])
def test_a_record_outlives_the_next_play_and_outcomes_are_those_of_the_trajectory(key, k):
    environment = walks(4, 12)[k]
    mu = behavior(environment, key)
    player, outcomes = EpisodePlayer(environment, mu, 6), EpisodePlayer(environment, mu, 6, outcomes_only=True)
    records = []
    for seed in (1, 2, 1):
        player.start(mu, seed)
        assert player.done()
        records.append(player.finish())
    first, second, again = (record.trajectory for record in records)
    np.testing.assert_array_equal(first.valid, again.valid)  # padding holds whatever the buffers held before
    rows = np.asarray(first.valid)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a)[rows], np.asarray(b)[rows]), first, again)
    assert not np.array_equal(first.action, second.action)
    outcomes.start(mu, 1)
    record = outcomes.finish()
    assert record.trajectory is None
    np.testing.assert_array_equal(record.returns, records[0].returns)
    np.testing.assert_array_equal(record.lengths, first.valid.sum(axis=0))
    assert (player.host_rollout is None) == (k == 0)
