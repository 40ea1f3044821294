"""Your own networks: any callable module from one observation to a distribution is a policy.

    uv run python examples/own_network.py

This example uses a residual network with layer normalization, for the policy and for the critic.
"""

import argparse

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

import logpi


class Block(eqx.Module):
    """Residual block: h ↦ h + W₂ gelu(W₁ norm(h))."""

    norm: eqx.nn.LayerNorm
    wide: eqx.nn.Linear
    back: eqx.nn.Linear

    def __init__(self, width, *, key):
        k_wide, k_back = jr.split(key)
        self.norm = eqx.nn.LayerNorm(width)
        self.wide = eqx.nn.Linear(width, 2 * width, key=k_wide)
        self.back = eqx.nn.Linear(2 * width, width, key=k_back)

    def __call__(self, h):
        return h + self.back(jax.nn.gelu(self.wide(self.norm(h))))


class Residual(eqx.Module):
    """Residual network: x ↦ W_out (block ∘ … ∘ block)(W_in x). W_out is small: the initial policy is nearly uniform."""

    enter: eqx.nn.Linear
    blocks: list[Block]
    leave: eqx.nn.Linear

    def __init__(self, inputs, outputs, *, width=32, depth=2, key):
        k_enter, k_leave, *keys = jr.split(key, 2 + depth)
        self.enter = eqx.nn.Linear(inputs, width, key=k_enter)
        self.blocks = [Block(width, key=k) for k in keys]
        leave = eqx.nn.Linear(width, outputs, key=k_leave)
        self.leave = eqx.tree_at(lambda layer: layer.weight, leave, 0.01 * leave.weight)

    def __call__(self, x):
        h = self.enter(x)
        for block in self.blocks:
            h = block(h)
        return self.leave(h)


class Policy(eqx.Module):
    """Policy π_θ(·|s). Its distribution defines sampling, log π, entropy and KL."""

    net: Residual

    def __call__(self, obs) -> logpi.Categorical:
        return logpi.Categorical(self.net(obs))


class Critic(eqx.Module):
    """Critic V_φ(s): one number per observation."""

    net: Residual

    def __call__(self, obs) -> jnp.ndarray:
        return self.net(obs)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
    parser.add_argument("--out", help="the run's directory (default: under runs/)")
    options = parser.parse_args()

    task = "CartPole-v1"
    k_policy, k_critic = jr.split(jr.key(0))
    policy = Policy(Residual(4, 2, key=k_policy))
    critic = Critic(Residual(4, 1, key=k_critic))
    ppo = logpi.PolicyGradient(
        credit=logpi.GAE(gamma=0.99, gae_lambda=0.95),
        objective=logpi.AdvantageNormalized(logpi.Clipped(0.2)) + 0.01 * logpi.entropy,
        update=logpi.Ascent(
            logpi.adam, learning_rate=logpi.LinearSchedule(1e-3, 0), minibatch_size=64, max_grad_norm=0.5
        ),
        fit="joint",
        epochs=10,
        collect=logpi.Steps(256),
    )
    run = logpi.train(task, ppo, policy=policy, critic=critic, steps=options.steps, out=options.out)

    # Run directories contain numbers, never code: to load networks of your own, pass networks of the same shape.
    run = logpi.load(run.directory, policy=policy, critic=critic)
    result = logpi.evaluate(run.policy, task, episodes=100, seed=1)
    low, high = result.ci
    print(f"return {result.mean:.1f} of 500, 95 % interval {low:.1f} … {high:.1f}")


if __name__ == "__main__":
    main()
