"""Algorithms by name."""

from collections.abc import Callable

from logpi.errors import LogpiError
from logpi.presets.a2c import a2c
from logpi.presets.ars import ars
from logpi.presets.cloning import cloning
from logpi.presets.evolution import evolution
from logpi.presets.finite_difference import finite_difference
from logpi.presets.npg import npg
from logpi.presets.off_policy import off_policy
from logpi.presets.ppo import ppo
from logpi.presets.ppo_kl import ppo_kl
from logpi.presets.q_actor_critic import q_actor_critic
from logpi.presets.recipe import Recipe
from logpi.presets.regression import regression
from logpi.presets.reinforce import reinforce
from logpi.presets.trpo import trpo
from logpi.presets.vpg import vpg

ALGORITHMS: dict[str, Callable[..., Recipe]] = {
    "reinforce": reinforce,
    "vpg": vpg,
    "a2c": a2c,
    "npg": npg,
    "trpo": trpo,
    "ppo": ppo,
    "ppo-kl": ppo_kl,
    "off-policy": off_policy,
    "q-actor-critic": q_actor_critic,
    "finite-difference": finite_difference,
    "regression": regression,
    "evolution": evolution,
    "ars": ars,
    "cloning": cloning,
}


def find_algorithm(name: str) -> Callable[..., Recipe]:
    """The preset of that name; raises LogpiError, listing the names there are."""
    if name not in ALGORITHMS:
        raise LogpiError(f"unknown algorithm {name}; allowed: {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]
