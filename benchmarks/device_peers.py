"""PPO on environments written in JAX against other libraries, each in its own virtual environment, alternating.

    python benchmarks/device_peers.py [rejax=PYTHON] [purejaxrl=PYTHON] [--task CartPole-v1] [--rounds 3]
                                      [--apart] [--environments 1024 4096 16384 65536]

PYTHON is the interpreter of an environment that has the library (rejax, or what PureJaxRL imports, with gymnax 0.0.9;
PUREJAXRL names its folder); logpi, with the extra `gymnax`, is measured where this runs. Each setting is environments ×
steps, epochs × minibatches, with as many steps as take half a minute or so; all else is as in peers/report.py. With
`--environments`, for accelerators: so many × 64 steps, 4 epochs of 4 minibatches, 100 iterations, PPO against PureJaxRL
and TRPO by itself. With `--apart`, logpi's π and V learn by optimizers of their own, as rejax's do, each on one of two
CPU devices. Compile time is not counted. Prints steps per second, median over rounds with every round, the ratio to
logpi's PPO, and final returns.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

PEERS = Path(__file__).parent / "peers"
SETTINGS = {  # environments, steps, epochs, minibatches, steps in all; which peers are measured there
    "4 × 128": (4, 128, 4, 4, 1_500_000, ("purejaxrl",)),
    "8 × 256": (8, 256, 10, 32, 800_000, ("purejaxrl", "rejax")),
    "64 × 64": (64, 64, 8, 16, 1_600_000, ("rejax",)),
    "64 × 128": (64, 128, 4, 4, 2_000_000, ("purejaxrl",)),
    "1024 × 64": (1024, 64, 8, 16, 2_000_000, ("rejax",)),
    "1024 × 128": (1024, 128, 4, 4, 2_600_000, ("purejaxrl",)),
}
OURS = {"ppo": "logpi", "apart": "logpi, π and V apart", "trpo": "logpi, TRPO"}


def wide(environments: int) -> tuple[Any, ...]:
    """Return the setting for this number of environments."""
    return environments, 64, 4, 4, 100 * 64 * environments, ("purejaxrl", "trpo")


def measure(python: str, peer: str, *asked: Any) -> dict[str, Any]:
    """Run one library in a separate process and return its answer."""
    script, own = ("device", [peer]) if peer in OURS else (peer, [])
    command = [python, str(PEERS / f"run_{script}.py"), *map(str, asked), *own]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{peer} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure all settings; print one row per library."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER=PYTHON")
    parser.add_argument("--task", default="CartPole-v1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--apart", action="store_true", help="PPO with separate_optimizers=True, on two CPU devices")
    parser.add_argument("--environments", nargs="*", type=int, default=[])
    given = parser.parse_args()
    own = "apart" if given.apart else "ppo"
    settings = {f"{n:,} × 64": wide(n) for n in given.environments} or SETTINGS
    pythons = dict.fromkeys(OURS, sys.executable) | dict(peer.split("=", 1) for peer in given.peers)
    print("| setting | library | steps/s | logpi's ratio | compile, s | returns |\n|---|---|---|---|---|---|")
    for setting, (*sizes, steps, against) in settings.items():
        here = {peer: python for peer, python in pythons.items() if peer == own or peer in against}
        rows: dict[str, list[dict[str, Any]]] = {peer: [] for peer in here}
        for seed in range(given.rounds if len(here) > 1 else 0):
            for peer, python in list(here.items())[:: 1 if seed % 2 == 0 else -1]:
                rows[peer].append(measure(python, peer, given.task, *sizes, steps, seed))
        for peer, runs in rows.items():
            if runs:
                speeds = [run["steps_per_second"] for run in runs]
                ratios = [ours["steps_per_second"] / x for ours, x in zip(rows[own], speeds, strict=True)]
                shown = "" if peer == own else f"{np.median(ratios):.2f} ({', '.join(f'{x:.2f}' for x in ratios)})"
                name = f"{OURS.get(peer, peer)} {runs[0]['version']}"
                each = f"{np.median(speeds):,.0f} ({', '.join(f'{x:,.0f}' for x in speeds)})"
                compiling = f"{np.median([run['compile_seconds'] for run in runs]):.1f}"
                returns = ", ".join(f"{run['return']:.0f}" for run in runs)
                print(f"| {setting} | {name} | {each} | {shown} | {compiling} | {returns} |", flush=True)


if __name__ == "__main__":
    main()
