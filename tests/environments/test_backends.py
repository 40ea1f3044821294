"""One deterministic task through every way of running it: the same transitions, those of a loop by hand."""

import contextlib

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from alike import GymnaxParams, LikeBrax, LikeGymnax
from builders import Walk
from counting import limited_line
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from logpi.environments.adapters.brax import Brax
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.gymnax import Gymnax
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.environments.registry import make
from logpi.environments.vmap import Vmap

N, COUNT = 2, 60
ACTIONS = np.random.default_rng(3).integers(0, 2, (N, COUNT)).astype(np.int32)
MODES = list(AutoresetMode)
# Never a fork: JAX has threads by now.
BACKENDS = {
    "one by one": lambda: Gymnasium(limited_line, N),
    **{
        f"sync, {mode.name}": lambda mode=mode: GymnasiumVector(
            SyncVectorEnv([limited_line] * N, autoreset_mode=mode), "line"
        )
        for mode in MODES
    },
    **{
        f"async, {mode.name}, {'shared' if shared else 'sent'}": lambda mode=mode, shared=shared: GymnasiumVector(
            AsyncVectorEnv([limited_line] * N, autoreset_mode=mode, shared_memory=shared, context="forkserver"), "line"
        )
        for mode in MODES
        for shared in (True, False)
    },
}


def by_hand(actions):
    """(s, a, r, s′, terminated, truncated) of one environment, reset after every end."""
    env = limited_line()
    obs, _ = env.reset(seed=0)
    for action in actions:
        following, reward, terminated, truncated, _ = env.step(int(action))
        yield *obs, action, np.float32(reward), *following, terminated, truncated and not terminated
        obs = env.reset()[0] if terminated or truncated else following


TRUTH = [list(by_hand(row)) for row in ACTIONS]


def collected(step, obs):
    """The same of each environment, whose k-th transition is made by its k-th action, rows not valid left out."""
    found = [[] for _ in range(N)]
    while min(map(len, found)) < COUNT:
        action = np.array([row[min(len(mine), COUNT - 1)] for row, mine in zip(ACTIONS, found, strict=True)], np.int32)
        answer = step(action)
        for i in np.flatnonzero(answer.valid):
            end = answer.terminated[i], answer.truncated[i]
            found[i].append((*obs[i], action[i], answer.reward[i], *answer.next_obs[i], *end))
        obs = answer.obs
    return [mine[:COUNT] for mine in found]


def test_the_script_has_ends_of_both_kinds():
    assert {row[-2:] for rows in TRUTH for row in rows} == {(False, False), (True, False), (False, True)}


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("make", BACKENDS.values(), ids=BACKENDS)
def test_transitions_are_those_of_a_loop_by_hand(make):
    """Also after a reset in the very step in which an episode ended everywhere."""
    with contextlib.closing(make()) as environment:
        nobody = np.zeros(N, bool)
        step = lambda action: environment.step(action, nobody)
        environment.reset(1)
        assert [bool(step(np.ones(N, np.int32)).terminated.all()) for _ in range(4)] == [False, False, False, True]
        assert collected(step, environment.reset(0)) == TRUTH


# Each with what an action 0 or 1 is to it.
DEVICE = {
    "own": (lambda: Vmap(Walk(), N, 6), jnp.asarray),
    "as gymnax": (lambda: make(Gymnax(LikeGymnax(Walk()), GymnaxParams(6)), N), jnp.asarray),
    "as Brax": (lambda: make(Brax(LikeBrax(Walk(), up), 6), N), lambda action: 1.7 * (2.0 * action[:, None] - 1)),
}


def up(action):
    return (action[0] == 1).astype(jnp.int32)


@pytest.mark.parametrize(("make", "acted"), DEVICE.values(), ids=DEVICE)
def test_and_so_are_those_on_the_device(make, acted):
    """What other libraries' environments are made into, too: neither they nor their habits are seen."""
    environment = make()
    run = jax.jit(lambda key, state, action: environment.step(key, state, action))
    state, obs = environment.reset(jr.key(0))

    def step(action):
        nonlocal state
        state, answer = run(jr.key(0), state, acted(action))
        return jax.device_get(answer)

    assert collected(step, np.asarray(obs)) == TRUTH
