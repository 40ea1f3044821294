"""Algorithms by name."""

from collections.abc import Callable

from logpi.algorithms.a2c import a2c
from logpi.algorithms.ars import ars
from logpi.algorithms.cloning import cloning
from logpi.algorithms.evolution import evolution
from logpi.algorithms.finite_difference import finite_difference
from logpi.algorithms.npg import npg
from logpi.algorithms.off_policy import off_policy
from logpi.algorithms.ppo import ppo
from logpi.algorithms.ppo_kl import ppo_kl
from logpi.algorithms.q_actor_critic import q_actor_critic
from logpi.algorithms.recipe import Recipe
from logpi.algorithms.regression import regression
from logpi.algorithms.reinforce import reinforce
from logpi.algorithms.trpo import trpo
from logpi.algorithms.vpg import vpg
from logpi.errors import LogpiError

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


def algorithm(name: str) -> Callable[..., Recipe]:
    """The preset of that name; raises LogpiError, listing the names there are."""
    if name not in ALGORITHMS:
        raise LogpiError(f"unknown algorithm {name}; allowed: {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]
