"""Every part that logpi brings keeps the contracts that users' parts are held to."""

import warnings

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from builders import Walk, policy
from counting import DICT, TUPLE, Line, Recording
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from helpers import mostly_slow

import logpi
from logpi.distributions.bernoulli import Bernoulli
from logpi.distributions.independent import Independent
from logpi.distributions.product import Product
from logpi.distributions.reshaped import Reshaped
from logpi.distributions.squashed import Squashed
from logpi.testing import check_distribution, check_environment, check_policy, check_update

normal = lambda seed, *shape: jr.normal(jr.key(seed), shape)
gaussian = lambda seed, size=2: logpi.Gaussian(normal(seed, size), 0.3 * normal(seed + 9, size) - 0.3)
masked = lambda logits: logits.at[..., 1].set(-jnp.inf)
DISTRIBUTIONS = {
    "categorical": lambda s: logpi.Categorical(normal(s, 5)),
    "masked": lambda s: logpi.Categorical(masked(normal(s, 4))),
    "gaussian": gaussian,
    "squashed": lambda s: Squashed(gaussian(s, 1)),
    "bernoulli": lambda s: Bernoulli(normal(s, 3)),
    "independent": lambda s: Independent(logpi.Categorical(normal(s, 2, 3))),
    "number": lambda s: Reshaped(gaussian(s, 1), ()),
    "tree": lambda s: Product(
        {"one": logpi.Categorical(normal(s, 3)), "two": (gaussian(s + 1), Bernoulli(normal(s, 2)))}
    ),
}
ACTIONS = spaces.Dict(
    arm=spaces.Tuple((spaces.Box(-3.0, 7.0, (2, 1), np.float64), spaces.Discrete(3, start=5))),
    keys=spaces.MultiBinary([2, 2]),
    gears=spaces.MultiDiscrete([3, 4], start=[1, -2]),
)
MASK = spaces.Dict(seen=spaces.Box(-1.0, 1.0, (3,)), action_mask=spaces.MultiBinary(4))
SPACES = {
    "flat": (spaces.Box(-1.0, 1.0, (3,)), spaces.Discrete(2)),
    "masked": (MASK, spaces.Discrete(4)),
    "tuple": (TUPLE, spaces.Box(-1.0, 1.0, (2,))),
    "dict": (DICT, ACTIONS),
}
adam = logpi.Ascent(logpi.adam, 1e-3)
UPDATES = {
    "ascent": adam,
    "minibatches": logpi.Ascent(logpi.adam, 1e-3, minibatch_size=8, max_grad_norm=0.5),
    "restricted": logpi.NormConstrainedStep(0.01),
    "natural": logpi.NaturalGradient(0.01),
    "trust region": logpi.TrustRegion(0.01),
    "penalty": logpi.AdaptivePenalty(adam, 0.01),
    "rate": logpi.AdaptiveRate(adam, 0.01),
}
vector = lambda make, mode: lambda: SyncVectorEnv([make] * 3, autoreset_mode=mode)
ENVIRONMENTS = {
    "logpi:CartPole-v1": "logpi:CartPole-v1",
    "logpi:Pendulum-v1": "logpi:Pendulum-v1",
    "tabular:grid": "tabular:grid",
    "walk": lambda: logpi.Vmap(Walk(continuous=True), 3, 6),
    "CartPole-v1": "CartPole-v1",
    "Pendulum-v1": "Pendulum-v1",
    **{mode.name: vector(Line, mode) for mode in AutoresetMode},
    "dict": lambda: Recording(ACTIONS, DICT),
}


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("make", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_every_distribution_is_one(make):
    check_distribution(make(1), make(2), draws=4000)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize(("seen", "actions"), mostly_slow(SPACES.values(), 3), ids=SPACES)
def test_every_policy_is_one(seen, actions, key):
    check_policy(policy(actions, key, seen), seen, actions)


@pytest.mark.thorough_after(1)
@pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)
def test_every_update_is_one(update):
    check_update(update)


@pytest.mark.thorough_after(3)
@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_every_environment_is_one(env):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*has no known time limit")
        check_environment(env, num_envs=3, steps=60)


def test_where_no_time_limit_is_known_a_warning_says_what_that_means():
    with pytest.warns(UserWarning, match=r"has no known time limit.*time_limit=…"):
        check_environment(lambda: Recording(ACTIONS), num_envs=2, steps=5)
