"""Compatibility: a policy meets an environment of other spaces with one line, on every path that plays or learns."""

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces

import logpi
from logpi.errors import LogpiError
from logpi.lab.problem import problem
from logpi.policies.behavior import Greedy
from logpi.policies.compatibility import require_spaces

SEEN, ACT = spaces.Discrete(16), spaces.Discrete(4)
LAKE = logpi.mlp_policy(SEEN, ACT, hidden=(4,), key=jax.random.key(0))
SCREEN = spaces.Box(0, 255, (36, 36, 1), np.uint8)
GAME = spaces.Dict(action_mask=spaces.MultiBinary(4), place=SEEN)


class Linear(eqx.Module):
    """A policy of a user's own, which tells nothing of its spaces."""

    weight: jax.Array

    def __call__(self, obs):
        return logpi.Categorical(self.weight @ obs)


@pytest.mark.parametrize(
    ("seen", "make"), [(SEEN, logpi.mlp_policy), (SCREEN, logpi.cnn_policy), (GAME, logpi.mlp_policy)]
)
def test_built_in_policies_know_their_spaces(seen, make):
    policy = Greedy(eqx.filter_eval_shape(lambda key: make(seen, ACT, hidden=(4,), key=key), jax.random.key(0)))
    require_spaces(policy, seen, ACT, "Task-v0")
    for other in ((spaces.Discrete(64), ACT), (seen, spaces.Discrete(5))):
        with pytest.raises(LogpiError, match=r"Task-v0 does not fit the policy: its (observation|action)"):
            require_spaces(policy, *other, "Task-v0")


def test_a_policy_of_ones_own_is_tried_on_shapes():
    policy, seen = Linear(jnp.ones((2, 4))), spaces.Box(-1, 1, (4,))
    for acting in (policy, Greedy(policy)):
        require_spaces(acting, seen, spaces.Discrete(2), "Task-v0")
        with pytest.raises(LogpiError, match=r"which cannot take an observation of Box\(6,\) of numbers: TypeError"):
            require_spaces(acting, spaces.Box(-1, 1, (6,)), spaces.Discrete(2), "Task-v0")
        with pytest.raises(LogpiError, match=r"its actions have shape \(2,\), those of the policy \(\)"):
            require_spaces(acting, seen, spaces.Box(-1, 1, (2,)), "Task-v0")


@pytest.mark.parametrize(
    "meet",
    [
        lambda: logpi.evaluate(LAKE, "FrozenLake-v1", env_args={"map_name": "8x8"}),
        lambda: logpi.evaluate(LAKE, "logpi:CartPole-v1"),
        lambda: logpi.evaluate(LAKE, gymnasium.make_vec("CartPole-v1", 2)),
        lambda: logpi.collect_episodes(LAKE, "CartPole-v1"),
        lambda: logpi.train("logpi:CartPole-v1", logpi.ppo().from_policy(LAKE), out="nowhere"),
        lambda: problem("CartPole-v1", LAKE),
        lambda: logpi.export(LAKE, "nowhere.py", spaces=(spaces.Discrete(64), ACT)),
    ],
)
def test_every_path_refuses_before_it_plays(meet, monkeypatch):
    monkeypatch.setattr(gymnasium.Env, "reset", lambda *a, **k: pytest.fail("played"))
    with pytest.raises(LogpiError, match="does not fit the policy: its observation is"):
        meet()
