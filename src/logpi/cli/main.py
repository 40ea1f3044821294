"""`logpi …`: the command line. Nothing here imports JAX until there is something to train or to evaluate."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from logpi.cli.parser import parse
from logpi.errors import EnvironmentFailed, LogpiError
from logpi.rollout.workers.config import Workers

INTERRUPTED, TERMINATED = 130, 143


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 done, 2 bad input (one line on standard error), 130 and 143 interrupted and terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    sys.path.insert(0, "")  # a user's own `module:factory` lies where the user stands
    try:
        command, given = parse(sys.argv[1:] if arguments is None else arguments)
        COMMANDS[command](**given)
    except LogpiError as error:
        if isinstance(error, EnvironmentFailed) and error.trace:
            print(error.trace.rstrip(), file=sys.stderr)
        print(f"logpi: {' '.join(str(error).split())}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("logpi: interrupted; what was trained is saved", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    return 0


def train(env: str, algorithm: str, steps: int | None, seed: int, out: str | None, options: dict[str, Any]) -> None:
    """Train, after checking all that can be checked without starting anything."""
    from logpi.environments.registry import check
    from logpi.presets.registry import find_algorithm

    own = {name: options.pop(name) for name in ("evaluations", "checkpoint_seconds")}
    seeds, workers = options.pop("seeds"), options.pop("workers")
    recipe = find_algorithm(algorithm)(**options)
    recipe.settings(env)
    check(env)
    if seeds is None:
        from logpi.training.train import train

        train(env, recipe, steps=steps, seed=seed, out=out, workers=workers, **own)
        return
    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)  # learners are spread over devices: here, cores
    from logpi.training.sweep import train_seeds

    train_seeds(env, recipe, seeds=range(seed, seed + seeds), steps=steps, out=out, **own)


def resume(directory: str, steps: int | None, env: str | None, workers: Workers) -> None:
    """Go on with a run."""
    _must_be_a_run(directory)
    from logpi.training.train import resume

    resume(directory, steps=steps, env=env, workers=workers)


def evaluate(directory: str, env: str | None, best: bool, as_json: bool, episodes: int, **how: Any) -> None:
    """Evaluate a run's policy on the task it was trained on."""
    _must_be_a_run(directory)
    from logpi.core.compilation import use_persistent_cache
    from logpi.evaluation.evaluate import evaluate
    from logpi.runs import configuration
    from logpi.runs.run import load

    env = env or configuration.environment(configuration.read(Path(directory)), Path(directory))
    use_persistent_cache()
    run = load(directory, which="best" if best else "final")
    result = evaluate(run.policy, env, episodes=episodes, **how)
    if as_json:
        returns, lengths = result.returns.tolist(), result.lengths.tolist()
        print(json.dumps({"returns": returns, "lengths": lengths, "mean": result.mean, "ci": result.ci}))
    else:
        low, high = result.ci
        print(f"return {result.mean:.1f}  95 % interval {low:.1f} … {high:.1f}  over {episodes} episodes of {env}")


def export(directory: str, out: str | None, best: bool) -> None:
    """Write a run's policy as one file that acts with NumPy alone."""
    _must_be_a_run(directory)
    from logpi.runs.export import export
    from logpi.runs.run import load

    print(export(load(directory, which="best" if best else "final"), out or Path(directory) / "policy.py"))


def lab(**given: Any) -> None:
    """Measure estimators of the gradient."""
    from logpi.cli.lab import lab

    lab(**given)


def _must_be_a_run(directory: str) -> None:
    """Fail at once, before JAX is imported, where there is nothing to read."""
    from logpi.runs.files import read_json

    read_json(Path(directory) / "run.json")


def algorithms() -> None:
    """List the algorithms."""
    from logpi.presets.registry import algorithms

    for name, preset in algorithms().items():
        print(f"{name:18} {(preset.__doc__ or '').partition(chr(10))[0]}")


def envs() -> None:
    """List the environments there are."""
    import gymnasium

    from logpi.environments.adapters.libraries import installed
    from logpi.environments.registry import BUILT_IN

    for name in [*BUILT_IN, *installed(), *sorted(gymnasium.registry)]:
        print(name)


COMMANDS: dict[str, Callable[..., None]] = {
    "train": train,
    "resume": resume,
    "evaluate": evaluate,
    "export": export,
    "lab": lab,
    "algorithms": algorithms,
    "envs": envs,
}

if __name__ == "__main__":
    sys.exit(main())
