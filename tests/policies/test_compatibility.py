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
from logpi.policies.compatibility import require_critic, require_spaces

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


CRITICS = {
    "a value": (lambda obs: jnp.sum(obs), "state", None),
    "a value of both": (lambda obs, action: jnp.sum(obs) + action.astype(float), "action", None),
    "none": (None, "state", None),
    "one that nobody asks": (lambda obs: "text", None, None),
    "a vector": (lambda obs: obs, "state", r"critic\(obs\) gives float32\[3\]; allowed: one number"),
    "a value in a list": (lambda obs: jnp.sum(obs)[None], "state", r"gives float32\[1\]"),
    "a whole number": (lambda obs: jnp.int32(1), "state", r"gives int32\[\]"),
    "a value of both for one": (lambda obs, action: jnp.sum(obs), "state", r"critic\(obs\) raises TypeError"),
    "a value of one for both": (lambda obs: jnp.sum(obs), "action", r"critic\(obs, action\) raises TypeError"),
    "one for other observations": (
        lambda obs: obs @ jnp.ones(5),
        "state",
        r"raises TypeError for an observation of Box\(3,\)",
    ),
}


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_gives_one_number_or_is_refused_in_one_line(name):
    critic, kind, says = CRITICS[name]
    spaces_of = spaces.Box(-1, 1, (3,)), spaces.Discrete(2), "Task-v0"
    if says is None:
        return require_critic(critic, kind, *spaces_of)
    with pytest.raises(LogpiError, match=says) as error:
        require_critic(critic, kind, *spaces_of)
    assert "\n" not in str(error.value)
