"""Values learned through every kind of environment: a time limit is not an end, an end is."""

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from alike import GymnaxParams, LikeBrax, LikeGymnax
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from helpers import mostly_slow

import logpi
from logpi.environments.adapters.brax import Brax
from logpi.environments.adapters.gymnax import Gymnax

LENGTH, GAMMA = 5, 0.9


class Five(gymnasium.Env):
    """Reward 1 for five steps; then it terminates, or is cut off, or both at once."""

    action_space = gymnasium.spaces.Discrete(1)
    observation_space = gymnasium.spaces.Box(0, 1, (LENGTH + 1,))

    def __init__(self, terminates, truncates, tells_time):
        self.ends, self.tells_time = (terminates, truncates), tells_time

    def _seen(self):
        return np.eye(LENGTH + 1, dtype=np.float32)[self.t if self.tells_time else 0]

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return self._seen(), {}

    def step(self, action):
        self.t += 1
        last = self.t == LENGTH
        return self._seen(), 1.0, last and self.ends[0], last and self.ends[1], {}


class FiveOnDevice(eqx.Module):
    """The same, in JAX; the time limit is `Vmap`'s."""

    terminates: bool = False
    tells_time: bool = False

    @property
    def observation_space(self):
        return Five.observation_space

    @property
    def action_space(self):
        return Five.action_space

    def reset(self, key):
        return jnp.int32(0), jax.nn.one_hot(0, LENGTH + 1)

    def step(self, key, state, action):
        seen = jax.nn.one_hot(state + 1 if self.tells_time else 0, LENGTH + 1)
        return state + 1, seen, jnp.ones(()), (state + 1 >= LENGTH) & self.terminates


def environments(terminates, truncates, tells_time):
    one = lambda: Five(terminates, truncates, tells_time)
    single, limit = FiveOnDevice(terminates, tells_time), LENGTH if truncates else 1000
    return {
        "one by one": lambda: one,
        **{mode.name: lambda mode=mode: SyncVectorEnv([one] * 4, autoreset_mode=mode) for mode in AutoresetMode},
        "device": lambda: logpi.Vmap(
            FiveOnDevice(terminates=terminates, tells_time=tells_time), 4, LENGTH if truncates else None
        ),
        "as gymnax": lambda: Gymnax(LikeGymnax(single), GymnaxParams(limit)),
        "as Brax": lambda: Brax(LikeBrax(single), limit),
    }


BACKENDS = list(environments(True, True, True))


def learned_values(backend, tmp_path, **ends):
    """V at each time, fitted to returns of what the environment answers."""
    algorithm = logpi.vpg(
        num_envs=4,
        num_steps=20,
        gamma=GAMMA,
        gae_lambda=1.0,
        critic_epochs=40,
        critic_learning_rate="1e-1:1e-4",
        hidden=(),
    )
    env = environments(**ends)[backend]()
    run = logpi.train(env, algorithm, steps=80 * 20, evaluations=0, out=tmp_path)
    return np.array([run.critic(jnp.asarray(x)) for x in np.eye(LENGTH + 1, dtype=np.float32)])


@pytest.mark.parametrize("backend", mostly_slow(BACKENDS, 2))
def test_a_task_that_is_only_cut_off_is_worth_its_infinite_sum(backend, tmp_path):
    value = learned_values(backend, tmp_path, terminates=False, truncates=True, tells_time=False)
    assert abs(value[0] - 10) < 0.2  # 1/(1 − γ); were the cut an end, 4.0951


@pytest.mark.parametrize("truncates", mostly_slow([False, True]), ids=["terminated", "both flags"])
@pytest.mark.parametrize("backend", mostly_slow(BACKENDS, 2))
def test_nothing_follows_an_end(backend, truncates, tmp_path):
    value = learned_values(backend, tmp_path, terminates=True, truncates=truncates, tells_time=True)
    expected = [sum(GAMMA**k for k in range(LENGTH - t)) for t in range(LENGTH)]  # 4.0951, 3.439, 2.71, 1.9, 1
    np.testing.assert_allclose(value[:LENGTH], expected, atol=0.05)
