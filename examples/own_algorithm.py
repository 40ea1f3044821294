"""Your own algorithm: replace one part.

    uv run python examples/own_algorithm.py

An actor-critic composed from parts, with one part that is not in the library.
"""

import argparse

import jax
import jax.random as jr

import logpi
from logpi.types import Number


class Blend(logpi.Credit):
    """Mixture of two credits: Φ = w · Φ_far + (1 − w) · Φ_near, and likewise the target of V.

    At first the critic is poor, so credit begins with a long horizon (mostly rewards); as the critic learns, credit
    shifts to a short horizon (mostly V), which has less variance. Any number in an algorithm may be a schedule, also in
    a part of your own.

    - `far`, `near`: the two credits.
    - `weight`: w ∈ [0, 1], a number or a schedule.
    """

    far: logpi.Credit
    near: logpi.Credit
    weight: Number

    def __call__(self, state, tau):
        mix = lambda far, near: self.weight * far + (1 - self.weight) * near
        return jax.tree.map(mix, self.far(state, tau), self.near(state, tau))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=200_000, help="environment steps")
    parser.add_argument("--out", help="the run's directory (default: under runs/)")
    options = parser.parse_args()

    algorithm = logpi.PolicyGradient(
        credit=Blend(logpi.NStep(0.99, n=64), logpi.NStep(0.99, n=16), weight=logpi.LinearSchedule(1, 0)),
        objective=logpi.score + 0.01 * logpi.entropy,
        update=logpi.Ascent(logpi.adam, learning_rate=logpi.LinearSchedule(3e-3, 0)),
        fit=logpi.Ascent(logpi.adam, learning_rate=3e-3, epochs=10),
        collect=logpi.Steps(128),
    )
    print(logpi.describe(algorithm))

    task = "logpi:CartPole-v1"  # written in JAX: rollout and learning are one compiled program
    spec = logpi.make(task, num_envs=1).spec
    k_policy, k_critic = jr.split(jr.key(0))
    policy = logpi.mlp_policy(spec.observation_space, spec.action_space, key=k_policy)
    critic = logpi.mlp_critic(spec.observation_space, key=k_critic)
    run = logpi.train(task, algorithm, policy=policy, critic=critic, steps=options.steps, out=options.out)

    result = logpi.evaluate(run.policy, task, episodes=100, seed=1)
    low, high = result.ci
    print(f"return {result.mean:.1f} of 500, 95 % interval {low:.1f} … {high:.1f}")


if __name__ == "__main__":
    main()
