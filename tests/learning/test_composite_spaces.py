"""A task in every kind of space is trained for two iterations, on the host, from end to end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from counting import DICT, TUPLE, Recording
from gymnasium import spaces

import logpi

ACTIONS = spaces.Dict(
    arm=spaces.Tuple((spaces.Box(-3.0, 7.0, (2, 1), np.float64), spaces.Discrete(3, start=5))),
    keys=spaces.MultiBinary([2, 2]),
    gears=spaces.MultiDiscrete([3, 4], start=[1, -2]),
)
SMALL = {"num_envs": 2, "num_steps": 8, "hidden": (4,)}


@pytest.mark.slow
@pytest.mark.parametrize("seen", [DICT, TUPLE], ids=["dict", "tuple"])
def test_every_space_is_observed_and_acted_in(seen, tmp_path):
    """`Recording` asserts that every action lies in its space."""
    run = logpi.train(lambda: Recording(ACTIONS, seen), logpi.a2c(**SMALL), steps=32, evaluations=0, out=tmp_path)
    assert run.metrics[-1]["steps"] == 32 and run.metrics[-1]["skipped_updates"] == 0


@pytest.mark.slow
def test_the_first_ratio_is_one_and_what_is_sent_is_not_what_is_stored(key):
    """In a tree of actions, of which a Gaussian leaf is far beyond its bounds."""
    from builders import on_host, policy

    from logpi.environments.adapters.gymnasium import Gymnasium

    copies = []
    environment = Gymnasium(lambda: copies.append(Recording(ACTIONS, DICT)) or copies[-1], 2, "recording")
    mu = logpi.Behavior(policy(ACTIONS, key, DICT, initial_std=5.0))
    tau = on_host(environment, mu, logpi.Steps(16), key)
    again = jax.vmap(jax.vmap(mu.policy))(tau.obs).log_prob(tau.action)
    assert jnp.max(jnp.abs(jnp.exp(again - tau.log_prob) - 1)) < 1e-4
    own, sent = np.asarray(tau.action["arm"][0]), np.stack([[a["arm"][0] for a in copy.seen] for copy in copies], 1)
    assert np.abs(own).max() > 2 and sent.min() == -3 and sent.max() == 7
    np.testing.assert_allclose(sent, np.clip(2 + 5 * own, -3, 7), atol=1e-5)
    np.testing.assert_array_equal(
        [[a["arm"][1] for a in copy.seen] for copy in copies], np.asarray(tau.action["arm"][1]).T + 5
    )


@pytest.mark.thorough
def test_what_a_cut_episode_was_worth_is_read_from_its_true_last_leaves(key):
    """V = the sum of all leaves: at a truncation δ = r + γ V(last) − V(obs), by hand, not V of the fresh start."""
    from builders import on_host, policy
    from counting import Counting, shown
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    from logpi.credit.td_residual import td_residuals
    from logpi.environments.adapters.vector import GymnasiumVector

    copies = SyncVectorEnv([lambda: Counting(0, DICT)] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    tau = on_host(
        GymnasiumVector(copies, "counting"), logpi.Behavior(policy(spaces.Discrete(2), key, DICT)), logpi.Steps(9), key
    )
    total = lambda obs: sum(float(np.sum(leaf)) for leaf in jax.tree.leaves(obs))
    critic = lambda obs: sum(jnp.sum(leaf).astype(float) for leaf in jax.tree.leaves(obs))
    delta = td_residuals(critic, tau, 0.9)[0]
    cut = np.argwhere(tau.truncated)
    assert len(cut) == 2  # the second episode, of four steps, numbers 100 … 104
    for t, i in cut:
        hand = tau.reward[t, i] + 0.9 * total(shown(DICT, 104)) - total(shown(DICT, 103))
        np.testing.assert_allclose(delta[t, i], hand, atol=1e-3)  # a fresh start would be off by hundreds
