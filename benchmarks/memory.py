"""Memory of an iteration on the device, as reported by the compiler.

    python benchmarks/memory.py [--algorithms ppo trpo]

For windows of T steps in N environments whose observations are D numbers, two layers of H units: MiB of the carry
between iterations, MiB of temporary memory, and bytes of the latter per additional row (from T × N and 2 T × N rows).
Nothing is trained.
"""

import argparse
from contextlib import ExitStack
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jaxtyping import Array, Key

import logpi
from logpi.environments.protocol import Environment
from logpi.loop.device import lower_device_loop
from logpi.loop.iteration import init_carry
from logpi.presets.registry import find_algorithm
from logpi.training.plan import make_plan

SIZES = [  # T, N, D, H
    (256, 8, 4, 64),
    (64, 64, 4, 64),
    (64, 1024, 4, 64),
    (64, 1024, 400, 64),
    (64, 1024, 4, 256),
]
MEBIBYTE = 2**20


class Drift(eqx.Module):
    """Dummy task with observations of a given size."""

    size: int = eqx.field(static=True)

    @property
    def observation_space(self) -> spaces.Box:
        """Box of `size` numbers."""
        return spaces.Box(-1.0, 1.0, (self.size,))

    @property
    def action_space(self) -> spaces.Discrete:
        """Two actions."""
        return spaces.Discrete(2)

    def reset(self, key: Key[Array, ""]) -> tuple[Array, Array]:
        """Draw a random state."""
        obs = jr.uniform(key, (self.size,))
        return obs, obs

    def step(self, key: Key[Array, ""], state: Array, action: Array) -> tuple[Array, Array, Array, Array]:
        """Shift the state by one action."""
        del key
        state = state * 0.9 + jnp.where(action == 1, 0.1, -0.1)
        return state, state, state[0], jnp.asarray(False)


def needed(name: str, length: int, num_envs: int, size: int, units: int) -> tuple[int, int]:
    """Return (bytes of the carry, bytes of temporary memory) of one iteration."""
    given: dict[str, Any] = {"num_envs": num_envs, "num_steps": length, "hidden": (units, units)}
    given |= {"minibatch_size": length * num_envs // 16} if name == "ppo" else {}
    with ExitStack() as stack:
        environment = logpi.make(Drift(size), num_envs, time_limit=1000)
        plan = make_plan(environment, find_algorithm(name)(**given), 2**30, (None, None), 0, stack)
        assert isinstance(plan.environment, Environment)
        carry = init_carry(plan.algorithm, plan.environment, plan.policy, plan.critic, plan.key)
        program, _ = lower_device_loop(plan.algorithm, plan.environment, carry, capacity=1)
        found: Any = program.compile().memory_analysis()
        return found.argument_size_in_bytes, found.temp_size_in_bytes


def main() -> None:
    """Compile at each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", default=["ppo", "trpo"])
    given = parser.parse_args()
    print("| algorithm | T × N | D | H | MiB handed on | MiB between | bytes a row |\n|---|---|---|---|---|---|---|")
    for name in given.algorithms:
        for length, num_envs, size, units in SIZES:
            kept, between = needed(name, length, num_envs, size, units)
            more = needed(name, 2 * length, num_envs, size, units)[1] - between
            shown = f"{kept / MEBIBYTE:.1f} | {between / MEBIBYTE:.1f} | {more / (length * num_envs):,.0f}"
            print(f"| {name} | {length} × {num_envs:,} | {size} | {units} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
