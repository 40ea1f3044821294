"""Cost of a gradient step of PPO, and its share of the machine's peak performance.

    taskset -c 0 python benchmarks/update.py [--rounds 7]

One update of 10 epochs on 2,048 rows, two networks of two layers of 64, at minibatches of 64, 256 and the whole batch,
for CartPole's sizes and HalfCheetah's: milliseconds an update, microseconds a step, GFLOP/s by the matrix products
alone (forward, and twice that back), and their share of what a product of 1024 × 1024 matrices reaches here. Best of
the rounds, by processor time. On one core by `taskset`: what XLA gains by more threads differs from day to day.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces

import logpi
from logpi.core.compilation import aot_compile
from logpi.policies.critic import ActorCritic
from logpi.types import Batch

ROWS, EPOCHS = 2048, 10
TASKS = {
    "CartPole: 4 observations, 2 choices": (spaces.Box(-1, 1, (4,)), spaces.Discrete(2), 2),
    "HalfCheetah: 17 observations, 6 numbers": (spaces.Box(-1, 1, (17,)), spaces.Box(-1, 1, (6,)), 6),
}


def best(call, rounds: int) -> float:
    """Return the minimum processor seconds of a call."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        jax.block_until_ready(call())
        taken.append(time.process_time() - began)
    return min(taken)


def peak(rounds: int) -> float:
    """Return the GFLOP/s of one large matrix product."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1024, 1024)), jnp.float32)
    product = jax.jit(lambda x: x @ x)
    jax.block_until_ready(product(x))
    return 2 * 1024**3 / best(lambda: product(x), rounds) / 1e9


def update(seen, actions, minibatch: int | None):
    """Return a function that makes one update of new networks on random rows."""
    keys = jr.split(jr.key(0), 6)
    pair = ActorCritic(logpi.mlp_policy(seen, actions, key=keys[0]), logpi.mlp_critic(seen, key=keys[1]))
    obs = jr.normal(keys[2], (ROWS, *seen.shape))
    old = jax.vmap(pair.policy)(obs)
    action = old.sample(keys[3])
    weight, target = jr.normal(keys[4], (2, ROWS))
    valid, scale = jnp.ones(ROWS, bool), jnp.float32(ROWS)
    batch = Batch(obs, action, old.log_prob(action), weight, target, valid, old, scale)
    objective = logpi.AdvantageNormalized(logpi.Clipped(0.2)) + 0.0 * logpi.entropy + 0.5 * logpi.value
    ascent = logpi.Ascent(logpi.adam, 3e-4, minibatch_size=minibatch, epochs=EPOCHS, max_grad_norm=0.5)
    step = lambda pair, batch, key: (ascent(objective, pair, batch, ascent.init(pair), key)[0], ())
    program = aot_compile(step, pair, batch, keys[5])
    program(pair, batch, keys[5])
    return lambda: jax.tree.leaves(program(pair, batch, keys[5])[0])


def main() -> None:
    """Measure; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    most = peak(rounds)
    print(f"A product of 1024 × 1024 matrices: {most:.0f} GFLOP/s.\n")
    print("| task | minibatch | ms an update | µs a step | GFLOP/s | of the peak |\n|---|---|---|---|---|---|")
    for name, (seen, actions, outputs) in TASKS.items():
        inputs = int(np.prod(seen.shape))
        products = 2 * inputs * 64 + 2 * 64 * 64 + 64 * (outputs + 1)
        for minibatch in (64, 256, None):
            seconds = best(update(seen, actions, minibatch), rounds)
            flops = 3 * 2 * products * ROWS * EPOCHS / seconds / 1e9
            steps = EPOCHS * (ROWS // minibatch if minibatch else 1)
            shown = f"{seconds * 1e3:.1f} | {seconds / steps * 1e6:.0f} | {flops:.0f} | {flops / most:.0%}"
            print(f"| {name} | {minibatch or 'whole'} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
