"""Training speed on host environments, against peers, measured in turn in one run.

    python benchmarks/speed.py --sb3 PYTHON [--algorithm ppo|trpo] [--env CartPole-v1] [--steps 100000] [--rounds 3]

PYTHON is the interpreter of an environment that has stable-baselines3 and sb3-contrib (and torch's CPU build); logpi
is measured in the environment this runs in. Every library gets the same task, settings and seed. PPO: 8 environments ×
256 steps, 10 epochs, minibatches of 64, two tanh layers of 64, Adam 3e-4, γ .99, λ .95, clip .2, gradient norm .5.
TRPO: sb3-contrib's own settings, 1 environment × 2048 steps, δ .01, 15 iterations of conjugate gradients. A process a
run, one thread for torch; the order alternates. Prints steps per second of each (compile time apart), the ratio round
by round, and the final return, as Markdown.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"
AGAINST = {"ppo": "sb3", "trpo": "sb3_contrib"}


def measure(python: str, peer: str, env: str, steps: int, seed: int, algorithm: str) -> dict[str, Any]:
    """One run of one library in a process of its own: the JSON line it prints last."""
    command = [python, str(PEERS / f"{peer}.py"), env, str(steps), str(seed), algorithm]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{peer} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, round by round; print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sb3", required=True, metavar="PYTHON")
    parser.add_argument("--algorithm", default="ppo", choices=AGAINST)
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    against = AGAINST[arguments.algorithm]
    pythons = {"logpi": sys.executable, against: arguments.sb3}
    rows: dict[str, list[dict[str, Any]]] = {peer: [] for peer in pythons}
    for seed in range(arguments.rounds):
        for peer, python in pythons.items():
            rows[peer].append(measure(python, peer, arguments.env, arguments.steps, seed, arguments.algorithm))
    speed = {peer: [row["steps_per_second"] for row in runs] for peer, runs in rows.items()}
    ratios = [ours / theirs for ours, theirs in zip(speed["logpi"], speed[against], strict=True)]
    print("| library | steps/s: median (each round) | compile s | training return at the end |\n|---|---|---|---|")
    for peer, runs in rows.items():
        each = ", ".join(f"{x:,.0f}" for x in speed[peer])
        compiling = statistics.median(row["compile_seconds"] for row in runs)
        returns = ", ".join(f"{row['return_mean']:.0f}" for row in runs)
        name = f"{peer} {runs[0]['version']}"
        print(f"| {name} | {statistics.median(speed[peer]):,.0f} ({each}) | {compiling:.1f} | {returns} |")
    print(f"\nRatio, median: {statistics.median(ratios):.1f} ({', '.join(f'{x:.1f}' for x in ratios)})")


if __name__ == "__main__":
    main()
