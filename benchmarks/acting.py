"""Cost of one step of acting on the host: from observations to sampled actions in the environment's units.

python benchmarks/acting.py [--num-envs 8] [--hidden 64 64]
"""

import argparse
import time

import jax
import jax.random as jr
import numpy as np
from gymnasium import spaces

import logpi
from logpi.policies.behavior import Behavior
from logpi.rollout.actor import behavior_arrays, lower_policy, make_actor
from logpi.spaces.actions import to_gymnasium

SEEN, ACTED = spaces.Box(-np.inf, np.inf, (17,)), spaces.Box(-1.0, 1.0, (6,))


def microseconds(function, calls=100, rounds=100):
    """Return the median and the minimum time of a call, in microseconds."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(calls):
            function()
        taken.append((time.perf_counter() - begin) / calls * 1e6)
    return np.median(taken), min(taken)


def row(normalize, num_envs, hidden):
    """Return a row of the table, for a Gaussian policy as in the presets."""
    mu = Behavior(logpi.mlp_policy(SEEN, ACTED, hidden=hidden, normalize=normalize, key=jr.key(0)))
    obs = jax.device_get(jr.normal(jr.key(1), (num_envs, *SEEN.shape)))
    noise = jax.device_get(mu(obs).noise(jr.key(2)))
    native, act = to_gymnasium(ACTED, "it"), make_actor(mu, obs, noise).bind(behavior_arrays(mu))
    jitted = jax.jit(lambda mu, obs, noise: mu(obs).push(noise))
    middle, least = microseconds(lambda: native(act(obs, [noise])[1]))
    slow, _ = microseconds(lambda: native(np.asarray(jitted(mu, obs, noise))))
    lines = len(lower_policy(mu, obs, noise).per_call)
    return f"| {'normalized' if normalize else 'plain'} | {middle:.1f}, {least:.1f} | {slow:.0f} | {lines} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-envs", type=int, default=8)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 64])
    given = parser.parse_args()
    print("| policy | in NumPy, µs: median, least | a jitted call, µs | lines of NumPy |\n|---|---|---|---|")
    for normalize in (False, True):
        print(row(normalize, given.num_envs, given.hidden))


if __name__ == "__main__":
    main()
