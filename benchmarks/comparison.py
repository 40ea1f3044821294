"""REINFORCE, VPG, NPG, TRPO and PPO on the cart-pole over ten seeds; and three of them under random forces.

    python benchmarks/comparison.py [--seeds 10] [--steps 500000] [--only SHORT] [--out docs/figures]

Three panels: episodes of at most 200 steps (CartPole-v0), of at most 500 (v1), and v1 where the force on the cart is
multiplied by 1 + σz, z ~ N(0, 1) drawn in each step, for σ = 0, 0.5, 1, 1.5. All seeds of a method are one program.
Prints Markdown tables: the mean return of the last 100 training episodes, its mean over seeds with the 95 % bootstrap
interval of that mean, and every seed's last; writes comparison.png and comparison.csv.

The setting is that of Lovatto's comparison (4 environments × 500 steps an iteration, γ = 0.99, λ = 0.97, critic by 80
full-batch steps of Adam at 1e-3), and `docs/comparison.md` lists the differences.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import logpi
from logpi.core.compilation import compiler_options
from logpi.core.trees import scan
from logpi.evaluation.statistics import bootstrap_interval
from logpi.loop.iteration import init_carry, run_iteration
from logpi.presets.registry import find_algorithm

METHODS = {
    "reinforce": {"num_envs": 4, "episodes": 1, "learning_rate": 7e-3},
    "vpg": {},
    "npg": {"max_kl": 1e-3},
    "trpo": {"max_kl": 1e-3, "damping": 1e-3, "backtracks": 15},
    "ppo": {"num_envs": 4, "num_steps": 500, "gae_lambda": 0.97, "learning_rate": 1e-3},
}
EVERYWHERE = {"hidden": (32,), "gamma": 0.99}
MARKS = (50_000, 100_000, 200_000, 500_000)
WINDS = (0.0, 0.5, 1.0, 1.5)
IN_THE_WIND = ("vpg", "npg", "trpo")
CHUNK = 25  # iterations to a call
LAST = 100  # training episodes whose mean return is the score


class Windy(eqx.Module):
    """Cart-pole with the force multiplied by 1 + σz at every step."""

    wind: float
    observation_space = logpi.CartPole().observation_space
    action_space = logpi.CartPole().action_space

    def reset(self, key: Any) -> tuple:
        """Reset the cart-pole."""
        return logpi.CartPole().reset(key)

    def step(self, key: Any, state: Any, action: Any) -> tuple:
        """Step the cart-pole with this step's random force."""
        k_wind, key = jr.split(key)
        force = 10.0 * (1.0 + self.wind * jr.normal(k_wind))
        return eqx.tree_at(lambda c: c.force, logpi.CartPole(), force).step(key, state, action)


def histories(name: str, single: Any, limit: int, seeds: int, budget: int) -> list[dict[str, np.ndarray]]:
    """Return each seed's `steps`, `episodes` and `return_mean` per iteration, up to the budget or just beyond."""
    recipe = find_algorithm(name)(**EVERYWHERE, **METHODS[name])
    settings = recipe.settings("comparison")
    environment = logpi.Vmap(single, settings["num_envs"], limit, name)
    learner = recipe.build(environment.spec, settings, jr.key(0))[0]

    def start(key: Any) -> Any:
        k_networks, key = jr.split(key)
        _, policy, critic = recipe.build(environment.spec, settings, k_networks)
        return init_carry(learner, environment, policy, critic, key)

    def one(carry: Any, steps: Any) -> tuple:
        def body(now: tuple, _: None) -> tuple:
            carry, steps = now
            carry, info = run_iteration(learner, environment, carry, jnp.minimum(steps / budget, 1.0))
            steps = steps + info["steps"]
            return (carry, steps), {"steps": steps} | {key: info[key] for key in ("episodes", "return_mean")}

        return scan(body, (carry, steps), jnp.arange(CHUNK))

    carry, steps = eqx.filter_vmap(start)(jr.split(jr.key(0), seeds)), jnp.zeros(seeds, jnp.int32)
    arrays, fixed = eqx.partition(carry, eqx.is_array)

    def chunk(arrays: Any, steps: Any) -> tuple:
        (carry, steps), rows = jax.vmap(lambda a, s: one(eqx.combine(a, fixed), s))(arrays, steps)
        return eqx.filter(carry, eqx.is_array), steps, rows

    run = jax.jit(chunk, compiler_options=compiler_options())
    parts = []
    while int(steps.min()) < budget:
        arrays, steps, rows = run(arrays, steps)
        parts.append(jax.device_get(rows))
    joined = {key: np.concatenate([part[key] for part in parts], axis=1) for key in parts[0]}
    return [{key: x[seed] for key, x in joined.items()} for seed in range(seeds)]


def recent(history: dict[str, np.ndarray], step: int) -> float:
    """Return the mean return of the last 100 episodes that ended before a step, in whole iterations."""
    until = np.searchsorted(history["steps"], step, side="right")
    count = history["episodes"][:until]
    total = np.where(count > 0, history["return_mean"][:until] * count, 0.0)
    behind = np.cumsum(count[::-1])
    held = min(int(np.searchsorted(behind, LAST)) + 1, len(behind))
    if held == 0 or behind[held - 1] == 0:
        return float("nan")
    over = max(behind[held - 1] - LAST, 0.0)  # of the oldest iteration, only as many as make a hundred
    oldest = total[::-1][held - 1] / max(count[::-1][held - 1], 1)
    return float((total[::-1][:held].sum() - over * oldest) / (behind[held - 1] - over))


def scores(many: list[dict[str, np.ndarray]], grid: np.ndarray) -> np.ndarray:
    """Return the recent mean return of every seed at every step of a grid, [seeds, grid]."""
    return np.array([[recent(history, step) for step in grid] for history in many])


def band(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (mean, low, high) over seeds at every point."""
    ends = np.array([bootstrap_interval(column, lambda x: float(np.mean(x))) for column in table.T])
    return table.mean(axis=0), ends[:, 0], ends[:, 1]


def line(task: str, name: str, table: np.ndarray, grid: np.ndarray) -> str:
    """Format one row of the Markdown table."""
    at = [int(np.argmin(np.abs(grid - mark))) for mark in MARKS if mark <= grid[-1]]
    mean, low, high = band(table[:, at])
    cells = [f"{m:.0f} [{a:.0f}, {b:.0f}]" for m, a, b in zip(mean, low, high, strict=True)]
    above = np.flatnonzero(np.nanmean(table, axis=0) >= 475)
    first = f"{grid[above[0]] // 1000}k" if len(above) else "never"
    return f"| {task} | {name} | {' | '.join(cells)} | {first} | {', '.join(f'{x:.0f}' for x in table[:, -1])} |"


def main() -> None:
    """Run every panel, print the tables, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--only", choices=("v0", "v1", "wind"), action="append")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    arguments = parser.parse_args()
    grid = np.arange(5_000, arguments.steps + 1, 5_000)
    panels = {
        "v0": [("CartPole-v0", 200, name, 0.0) for name in arguments.methods],
        "v1": [("CartPole-v1", 500, name, 0.0) for name in arguments.methods],
        "wind": [
            (f"σ = {wind}", 500, name, wind) for wind in WINDS[1:] for name in arguments.methods if name in IN_THE_WIND
        ],
    }
    found: dict[tuple[str, str], np.ndarray] = {}
    marks = [f"{mark // 1000}k" for mark in MARKS if mark <= arguments.steps]
    print(
        f"| task | method | {' | '.join(marks)} | first ≥ 475 | each seed, at the end |\n|{'---|' * (len(marks) + 4)}"
    )
    for panel in arguments.only or panels:
        for task, limit, name, wind in panels[panel]:
            started = time.perf_counter()
            single = Windy(wind) if wind else logpi.CartPole()
            found[task, name] = scores(histories(name, single, limit, arguments.seeds, arguments.steps), grid)
            seconds = time.perf_counter() - started
            print(line(task, name, found[task, name], grid), f"<!-- {seconds:.0f} s -->", flush=True)
            arguments.out.mkdir(parents=True, exist_ok=True)
            save(found, grid, arguments.out / "comparison.csv")
            draw(found, grid, arguments.out / "comparison.png")


def save(found: dict[tuple[str, str], np.ndarray], grid: np.ndarray, path: Path) -> None:
    """Save every seed's curve as CSV."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["task", "method", "seed", *grid])
        for (task, name), table in found.items():
            rows.writerows([task, name, seed, *np.round(curve, 1)] for seed, curve in enumerate(table))


def draw(found: dict[tuple[str, str], np.ndarray], grid: np.ndarray, path: Path) -> None:
    """Draw the learning curves with their bands, and the final returns under random forces."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    colors = {name: f"C{i}" for i, name in enumerate(METHODS)}  # the colors of tab10, Matplotlib's default cycle
    for axes, task in ((left, "CartPole-v0"), (middle, "CartPole-v1")):
        for (where, name), table in found.items():
            if where == task:
                mean, low, high = band(table)
                axes.plot(grid, mean, color=colors[name], label=name)
                axes.fill_between(grid, low, high, color=colors[name], alpha=0.2, linewidth=0)
        axes.set(title=task, xlabel="environment steps", ylabel=f"mean return of the last {LAST} episodes")
    middle.legend(frameon=False, loc="lower right")
    tasks = {0.0: "CartPole-v1"} | {wind: f"σ = {wind}" for wind in WINDS[1:]}
    for name, color in colors.items():
        points = [(wind, band(found[task, name][:, -1:])) for wind, task in tasks.items() if (task, name) in found]
        if points:
            x, (mean, low, high) = [wind for wind, _ in points], np.array([band for _, band in points])[..., 0].T
            right.errorbar(x, mean, [mean - low, high - mean], color=color, marker="o", capsize=3)
    right.set(title="CartPole-v1, force × (1 + σz)", xlabel="σ", xticks=WINDS, ylabel="the same, at the end")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
