"""Shaping by a potential, in play: what is paid, step for step, on the device and on the host."""

import gymnasium
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import Counting, Walk, WalkOnHost, behavior, on_device

from logpi.core.collection import Episodes
from logpi.environments.vmap import Vmap
from logpi.environments.wrappers.reward_shaping import RewardShaping, RewardShapingWrapper

GAMMA = 0.9


def potential(obs):
    """Φ = 3 + x²."""
    return 3 + obs[0] ** 2


def paid_by_hand(tau):
    """r + γ Φ(s') (1 − terminated) − Φ(s), the walk's reward being the position reached."""
    before, after = (3 + np.asarray(x)[..., 0] ** 2 for x in (tau.obs, tau.next_obs))
    return np.asarray(tau.next_obs)[..., 0] + GAMMA * np.where(tau.terminated, 0, after) - before


@pytest.mark.thorough
def test_every_step_pays_the_difference_of_potentials(key):
    plain, shaped = (Vmap(single, 16, 12) for single in (Walk(), RewardShaping(Walk(), potential, GAMMA)))
    mu = behavior(plain, key)
    tau, bare = (on_device(env, mu, Episodes(), key) for env in (shaped, plain))
    valid = np.asarray(tau.valid)
    assert bool(tau.terminated.any()) and bool((tau.truncated & tau.valid).any())
    np.testing.assert_allclose(np.asarray(tau.reward)[valid], paid_by_hand(tau)[valid], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(tau.obs, bare.obs)
    np.testing.assert_array_equal(tau.action, bare.action)


@pytest.mark.thorough
def test_it_telescopes_to_minus_the_first_potential(key):
    """Σ γ^t r' = Σ γ^t r − Φ(s₀) in every episode that terminates, a random number of steps long."""
    plain, shaped = (Vmap(single, 64, 60) for single in (Walk(), RewardShaping(Walk(), potential, GAMMA)))
    mu = behavior(plain, key)
    tau, bare = (on_device(env, mu, Episodes(), key) for env in (shaped, plain))
    over = np.asarray((tau.terminated & tau.valid).any(axis=0))
    powers = np.where(tau.valid, GAMMA ** np.asarray(tau.time), 0)
    total, before = ((powers * np.asarray(t.reward)).sum(axis=0)[over] for t in (tau, bare))
    assert over.sum() > 20 and len(set(np.asarray(tau.valid).sum(axis=0)[over].tolist())) > 3
    np.testing.assert_allclose(total, before - 3, rtol=1e-4, atol=1e-4)


def test_spaces_and_limits_are_the_environments_own():
    shaped = RewardShaping(Walk(), potential, GAMMA)
    assert shaped.observation_space == Walk().observation_space and shaped.action_space == Walk().action_space
    assert shaped.time_limit is None


def test_the_host_pays_the_same():
    """Move for move the walk's own rewards, shaped; a new episode begins with its own potential."""
    env = RewardShapingWrapper(WalkOnHost(), potential, GAMMA)
    bare = WalkOnHost()
    for actions in ([1, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0]):
        before, _ = env.reset(seed=0)
        bare.reset(seed=0)
        for action in actions:
            obs, reward, terminated, *_ = env.step(action)
            _, plain, *_ = bare.step(action)
            after = 0 if terminated else potential(obs)
            np.testing.assert_allclose(reward, plain + GAMMA * after - potential(before), atol=1e-6)
            before = obs
            if terminated:
                break
        assert terminated


def test_a_truncated_episode_keeps_its_last_potential():
    env = RewardShapingWrapper(Counting(first=1), lambda obs: float(obs[0]), 0.5)
    obs, _ = env.reset(seed=0)
    for _ in range(3):
        before = obs
        obs, *_ = env.step(0)
    _, reward, terminated, truncated, _ = env.step(0)
    assert truncated and not terminated and isinstance(env, gymnasium.Wrapper)
    np.testing.assert_allclose(reward, 40 + 0.5 * (obs[0] + 1) - obs[0])
    assert before[0] < obs[0]


def test_a_key_is_the_inner_environments():
    """The shaped environment hands its key on: the same beginning as the plain one's."""
    key = jr.key(3)
    (inner, worth), obs = RewardShaping(Walk(), potential, GAMMA).reset(key)
    np.testing.assert_array_equal(inner, Walk().reset(key)[0])
    np.testing.assert_allclose(worth, potential(obs))
    assert jnp.shape(worth) == ()
