"""One-step tasks in JAX for every kind of space: look, act once, get at most 1."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces

from logpi.environments.protocol import Spec, Step


class Rules(NamedTuple):
    """What is seen and done; how an observation is drawn from a key; what an action at an observation is worth."""

    seen: spaces.Space
    actions: spaces.Space
    draw: object
    reward: object


def integers(key, *sizes):
    """One whole number below each size."""
    return jr.randint(key, (len(sizes),), 0, jnp.array(sizes))


def near(action, wanted):
    """1 where a vector is the one wanted, 0 where it is 1 away on average."""
    return 1 - jnp.mean(jnp.abs(jnp.clip(action, -1, 1) - wanted))


def same(action, wanted):
    """The share of entries that are as wanted."""
    return jnp.mean((action == wanted.astype(jnp.int32)).astype(float))


def gear_and_wheel(key):
    k_gear, k_wheel = jr.split(key)
    return {"gear": jr.randint(k_gear, (), 0, 3), "wheel": jr.uniform(k_wheel, (2,), float, -0.5, 0.5)}


def legal_moves(key):
    k_seen, k_mask = jr.split(key)
    mask = jr.bernoulli(k_mask, 0.4, (6,)).astype(jnp.int8)
    return {"action_mask": mask.at[0].set(jnp.int8(1)), "side": jr.rademacher(k_seen, (1,), float)}


def best_legal(obs):
    """The highest legal action on one side, the lowest on the other."""
    legal = obs["action_mask"] != 0
    highest = 5 - jnp.argmax(legal[::-1])
    return jnp.where(obs["side"][0] > 0, highest, jnp.argmax(legal))


def lamp_and_signs(key):
    k_lamp, k_sign, k_bits = jr.split(key, 3)
    signs = (jr.rademacher(k_sign, (1,), float), jr.bernoulli(k_bits, 0.5, (2,)).astype(jnp.int8))
    return {"lamp": jr.randint(k_lamp, (), 0, 3), "signs": signs}


def told_by_all(obs):
    """The lamp's number says which of the three signs counts."""
    sign, bits = obs["signs"]
    return jnp.stack([(sign[0] > 0).astype(jnp.int32), *bits.astype(jnp.int32)])[obs["lamp"]]


def spot(key):
    """A bright spot of 2 × 2 within a quarter of a dim 8 × 8 picture with noise."""
    k_place, k_noise = jr.split(key)
    y, x = jr.choice(k_place, jnp.array([0, 1, 2, 4, 5, 6]), (2,))
    rows = (jnp.arange(8) - y)[:, None]
    lit = (rows >= 0) & (rows < 2) & (jnp.arange(8) - x >= 0)[None] & (jnp.arange(8) - x < 2)[None]
    noise = jr.randint(k_noise, (8, 8), 0, 60)
    return jnp.where(lit, 200 + noise // 2, noise).astype(jnp.uint8)[..., None]


def quadrant(picture):
    """Which quarter of the picture is brightest."""
    quarters = picture[..., 0].astype(float).reshape(2, 4, 2, 4).sum(axis=(1, 3)).ravel()
    return jnp.argmax(quarters)


DIALS = spaces.MultiDiscrete([2, 3, 4])
SWITCHES = spaces.MultiBinary((2, 2))
CAR = spaces.Dict(gear=spaces.Discrete(3), wheel=spaces.Box(-1.0, 1.0, (2,)))
GAME = spaces.Dict(action_mask=spaces.MultiBinary(6), side=spaces.Box(-1.0, 1.0, (1,)))
SIGNS = spaces.Tuple((spaces.Box(-1.0, 1.0, (1,)), spaces.MultiBinary(2)))
STREET = spaces.Dict(lamp=spaces.Discrete(3), signs=SIGNS)
SCREEN = spaces.Box(0, 255, (8, 8, 1), np.uint8)

DESK = spaces.Dict(car=CAR, dials=DIALS, lights=spaces.Tuple((SWITCHES, spaces.Discrete(3))))


def desk(key):
    k_car, k_dials, k_switches, k_lamp = jr.split(key, 4)
    switches = jr.bernoulli(k_switches, 0.5, (2, 2)).astype(jnp.int8)
    lights = (switches, jr.randint(k_lamp, (), 0, 3))
    return {"car": gear_and_wheel(k_car), "dials": integers(k_dials, 2, 3, 4), "lights": lights}


def all_as_shown(obs, a):
    """The mean over everything on the desk."""
    exact = [a["car"]["gear"], a["dials"], *a["lights"]], [obs["car"]["gear"], obs["dials"], *obs["lights"]]
    shares = [same(x, y) for x, y in zip(*exact, strict=True)] + [near(a["car"]["wheel"], obs["car"]["wheel"])]
    return jnp.mean(jnp.stack(shares))


RULES = {
    "everything": Rules(DESK, DESK, desk, all_as_shown),
    "multi-discrete": Rules(DIALS, DIALS, lambda key: integers(key, 2, 3, 4), lambda obs, a: same(a, obs)),
    "multi-binary": Rules(
        SWITCHES, SWITCHES, lambda key: jr.bernoulli(key, 0.5, (2, 2)).astype(jnp.int8), lambda obs, a: same(a, 1 - obs)
    ),
    "dict action": Rules(
        CAR, CAR, gear_and_wheel, lambda obs, a: (same(a["gear"], obs["gear"]) + near(a["wheel"], obs["wheel"])) / 2
    ),
    "masked": Rules(GAME, spaces.Discrete(6), legal_moves, lambda obs, a: same(a, best_legal(obs))),
    "dict observation": Rules(STREET, spaces.Discrete(2), lamp_and_signs, lambda obs, a: same(a, told_by_all(obs))),
    "picture": Rules(SCREEN, spaces.Discrete(4), spot, lambda obs, a: same(a, quadrant(obs))),
}


class OneStep(eqx.Module):
    """`num_envs` copies of a task by name, every episode one step long. It takes actions as policies give them."""

    name: str = eqx.field(static=True)
    num_envs: int = eqx.field(static=True)

    @property
    def rules(self):
        return RULES[self.name]

    @property
    def spec(self):
        return Spec(self.name, self.num_envs, self.rules.seen, self.rules.actions, 1)

    def reset(self, key):
        obs = jax.vmap(self.rules.draw)(jr.split(key, self.num_envs))
        return obs, obs

    def step(self, key, state, action):
        reward = jax.vmap(self.rules.reward)(state, action)
        fresh, _ = self.reset(key)
        every = jnp.ones(self.num_envs, bool)
        return fresh, Step(fresh, state, reward, every, ~every, every)
