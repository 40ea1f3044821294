"""An index outside its space is refused wherever it is answered: it has no encoding, and nothing else would fail."""

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from small_runs import TINY

import logpi
from logpi.environments.adapters.gymnasium import Gymnasium
from logpi.environments.adapters.vector import GymnasiumVector
from logpi.environments.vmap import Vmap
from logpi.rollout.index_ranges import find_out_of_range, refuse_out_of_range
from logpi.types import Trajectory

SEEN = spaces.Dict({"bits": spaces.MultiBinary(2), "place": spaces.Discrete(5, start=1), "x": spaces.Box(-9, 9, (1,))})
SAYS = (
    r"environment \d of .* answered (obs|next_obs)\['place'\] outside its observation space at step \d.*: 6; .* 1 … 5"
)


class Counter(eqx.Module):
    """Counts the steps of an episode, from 1, and ends at `last`: with 6 it leaves its space."""

    last: int = eqx.field(static=True)

    @property
    def observation_space(self):
        return SEEN

    @property
    def action_space(self):
        return spaces.Discrete(2)

    def reset(self, key):
        return jnp.int32(1), self._obs(jnp.int32(1))

    def step(self, key, state, action):
        state = state + 1
        return state, self._obs(state), jnp.float32(1), state >= self.last

    def _obs(self, state):
        return {"bits": jnp.zeros(2, jnp.int8), "place": state, "x": jnp.zeros(1)}


class Bits(gymnasium.Env):
    """Answers a bit of 2 in the fourth step of each episode; the space is no Discrete one, so no step refuses it."""

    observation_space = spaces.Dict({"bits": spaces.MultiBinary(2), "x": spaces.Box(-9, 9, (1,))})
    action_space = spaces.Discrete(2)

    def __init__(self, wrong=2):
        self.wrong = wrong

    def _obs(self):
        return {"bits": np.array([0, self.wrong if self.time == 4 else 1], np.int8), "x": np.zeros(1, np.float32)}

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return self._obs(), {}

    def step(self, action):
        self.time += 1
        return self._obs(), 1.0, self.time == 6, False, {}


def device(last):
    return Vmap(Counter(last), 2, 12, "Counter")


def policy(space, hidden=(4,)):
    return logpi.mlp_policy(space, spaces.Discrete(2), hidden=hidden, key=jax.random.key(0))


def test_training_on_the_device_is_refused_by_name(tmp_path):
    with pytest.raises(logpi.LogpiError, match=SAYS):
        logpi.train(device(6), logpi.ppo(**TINY | {"num_envs": 2}), steps=64, seed=0, out=tmp_path / "run")


def test_evaluation_on_the_device_is_refused_by_name():
    with pytest.raises(logpi.LogpiError, match=SAYS):
        logpi.evaluate(policy(SEEN), device(6), episodes=2)
    assert logpi.evaluate(policy(SEEN), device(5), episodes=2).lengths.tolist() == [4, 4]


BITS = r"environment \d of .* answered obs\['bits'\] outside its observation space: 2; allowed: 0 … 1"


@pytest.mark.parametrize(
    "make",
    [
        lambda wrong: Gymnasium(lambda: Bits(wrong), 2, "Bits", 10),
        lambda wrong: GymnasiumVector(SyncVectorEnv([lambda: Bits(wrong)] * 2, autoreset_mode="SameStep"), "Bits"),
    ],
    ids=["copies", "vector"],
)
def test_evaluation_on_the_host_is_refused_by_name(make):
    pi = policy(Bits.observation_space)
    environment = make(2)
    environment.spec = environment.spec.__class__(**vars(environment.spec) | {"time_limit": 10})
    with pytest.raises(logpi.LogpiError, match=BITS):
        logpi.evaluate(pi, environment, episodes=4)
    environment = make(1)
    environment.spec = environment.spec.__class__(**vars(environment.spec) | {"time_limit": 10})
    assert logpi.evaluate(pi, environment, episodes=4).lengths.tolist() == [6, 6, 6, 6]


def test_a_space_without_indices_adds_nothing_to_a_program():
    flag, number = jnp.zeros((1, 1), bool), jnp.zeros((1, 1))
    obs, time = jnp.full((1, 1, 2), 7.0), jnp.zeros((1, 1), jnp.int32)
    tau = Trajectory(obs, number, number, number, obs, time, flag, flag, ~flag)
    assert find_out_of_range(spaces.Box(-1, 1, (2,)), tau) == {}
    assert refuse_out_of_range({"kl": 1.0}, device(5).spec) == {"kl": 1.0}
