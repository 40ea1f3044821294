"""Your own algorithm: change one part and leave the rest.

    uv run python examples/own_algorithm.py

An actor-critic put together by hand, with one part that the library does not have.
"""

import argparse

import jax
import jax.random as jr

import logpi


class Blend(logpi.Credit):
    """Φ = w · Φ_far + (1 − w) · Φ_near, and so for the target of V.

    A young critic knows little, so credit begins far-sighted, made of rewards; as the critic learns, it turns
    near-sighted, made of V, which has less variance. Any number in an algorithm may be such a schedule, also in a
    part of your own.
    """

    far: logpi.Credit
    near: logpi.Credit
    weight: float | logpi.LinearSchedule

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
