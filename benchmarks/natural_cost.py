"""Cost of a natural step: the updates of TRPO and NPG in units of gradient evaluations on the same batch.

    python benchmarks/natural_cost.py [--rounds 30]

For each batch: the seconds of one gradient of the surrogate, of one update by `NaturalGradient` and of one by
`TrustRegion` (line search included, no critic), in turn, and their ratio divided by (iterations of conjugate gradients
+ 2). Then F⁻¹g by logpi's `conjugate_gradient` and by JAX's, same products, same number of iterations: seconds to run
and to compile.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from gymnasium import spaces
from jax.scipy.sparse.linalg import cg

import logpi
from logpi.core.compilation import aot_compile
from logpi.types import Batch, ravel
from logpi.updates.conjugate_gradient import conjugate_gradient
from logpi.updates.fisher import fisher_product
from logpi.updates.protocol import Update

KINDS = {
    "CartPole: 4 observations, 2 choices": (spaces.Box(-1, 1, (4,)), spaces.Discrete(2)),
    "HalfCheetah: 17 observations, 6 numbers": (spaces.Box(-1, 1, (17,)), spaces.Box(-1, 1, (6,))),
}
ROWS, ITERATIONS = 2000, 10


def batch(policy: Any, size: int, key: Any) -> Batch:
    """Return rows of the policy's own actions, with random credit."""
    k_obs, k_action, k_weight = jr.split(key, 3)
    obs = jr.normal(k_obs, (ROWS, size))
    old = jax.vmap(policy)(obs)
    action, weight = old.sample(k_action), jr.normal(k_weight, (ROWS,))
    valid = jnp.ones(ROWS, bool)
    return Batch(obs, action, old.log_prob(action), weight, weight, valid, old, jnp.float32(ROWS))


def seconds(call: Callable[[], Any]) -> float:
    """Return the seconds of a call, including waiting for its result."""
    started = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - started


def improved(update: Update, policy: Any, rows: Batch) -> tuple[Any, dict[str, Any]]:
    """Return the improved policy and the metrics of one update along the surrogate."""
    new, _, metrics = update(logpi.importance, policy, rows, (), jr.key(0))
    return new, metrics


def programs(policy: Any, rows: Batch) -> dict[str, Callable[[], Any]]:
    """Compile the gradient and both updates."""
    theta, unravel = ravel(policy)
    surrogate = lambda theta: logpi.importance.evaluate(unravel(theta), rows)
    gradient = aot_compile(lambda theta: (jax.grad(surrogate)(theta), None), theta)
    steps = {"gradient": lambda: gradient(theta)}
    for update in (logpi.NaturalGradient(0.01, ITERATIONS, 0.1), logpi.TrustRegion(0.01, ITERATIONS, 0.1)):
        step = aot_compile(lambda policy, rows, update=update: improved(update, policy, rows), policy, rows)
        steps[type(update).__name__] = lambda step=step: step(policy, rows)
    return steps


def solvers(policy: Any, rows: Batch) -> dict[str, tuple[Callable[[], Any], float]]:
    """Compile F⁻¹g by both conjugate-gradient solvers; return them with the seconds of compilation."""
    theta, unravel = ravel(policy)
    g = jax.grad(lambda theta: logpi.importance.evaluate(unravel(theta), rows))(theta)
    ours = lambda g: conjugate_gradient(fisher_product(unravel, theta, rows, 0.1), g, ITERATIONS, 0.0).x
    theirs = lambda g: cg(fisher_product(unravel, theta, rows, 0.1), g, tol=0.0, maxiter=ITERATIONS)[0]
    made = {}
    for name, solve in (("logpi", ours), ("jax.scipy", theirs)):
        started = time.perf_counter()
        program = aot_compile(lambda g, solve=solve: (solve(g), None), g)
        made[name] = (lambda program=program: program(g)), time.perf_counter() - started
    return made


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    jax.config.update("jax_enable_compilation_cache", False)
    print("| batch | update | gradient, ms | update, ms | gradients | of (CG + 2) |\n|---|---|---|---|---|---|")
    solved = []
    for name, (seen, actions) in KINDS.items():
        policy = logpi.mlp_policy(seen, actions, key=jr.key(0))
        rows = batch(policy, seen.shape[0], jr.key(1))
        calls = programs(policy, rows)
        for call in calls.values():
            seconds(call)
        times = [{key: seconds(call) for key, call in calls.items()} for _ in range(rounds)]
        for key in list(calls)[1:]:
            used = float(calls[key]()[1]["cg_iterations"])
            ratio = statistics.median(row[key] / row["gradient"] for row in times)
            base, own = (1e3 * statistics.median(row[k] for row in times) for k in ("gradient", key))
            print(f"| {name} | {key} | {base:.2f} | {own:.2f} | {ratio:.1f} | {ratio / (used + 2):.2f} |", flush=True)
        both = solvers(policy, rows)
        for call, _ in both.values():
            seconds(call)
        runs = [{key: seconds(call) for key, (call, _) in both.items()} for _ in range(rounds)]
        for key, (_, compiling) in both.items():
            solved.append((name, key, 1e3 * statistics.median(run[key] for run in runs), compiling))
    print("\n| batch | conjugate gradients | ms | compiling, s |\n|---|---|---|---|")
    for name, key, ms, compiling in solved:
        print(f"| {name} | {key} | {ms:.2f} | {compiling:.2f} |")


if __name__ == "__main__":
    main()
