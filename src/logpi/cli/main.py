"""The entry point `logpi` and a function for each command. JAX is imported only to train or to act."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from logpi.cli.parser import parse
from logpi.core.output import ForgivingStream
from logpi.errors import EnvironmentFailed, LogpiError, reason_of
from logpi.rollout.workers.config import Workers
from logpi.training.console_stream import ConsoleStream

INTERRUPTED, TERMINATED = 130, 143


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit status.

    0 done; 2 bad input, 3 no readable checkpoint, 4 nothing learned, 5 environment failed (each with one line on
    standard error); 130 interrupted; 143 terminated, which is raised as SystemExit.
    """
    signal.signal(signal.SIGTERM, _terminate)
    output = ForgivingStream(sys.stdout)
    try:
        with redirect_stdout(output):
            command, given = parse(sys.argv[1:] if arguments is None else arguments)
            _run(command, given)
    except LogpiError as error:
        trace = f"{error.trace.rstrip()}\n" if isinstance(error, EnvironmentFailed) and error.trace else ""
        ConsoleStream().write(f"{trace}logpi: {reason_of(error)}\n")
        return error.status
    except KeyboardInterrupt:
        ConsoleStream().write("logpi: interrupted; what was trained is saved\n")
        return INTERRUPTED
    except Terminated:
        raise SystemExit(TERMINATED) from None
    finally:
        output.flush()
    return 0


def _run(command: str, given: dict[str, Any]) -> None:
    """Run a command; a `sys.exit` in an environment that nothing else has noticed is a failure, whatever its status."""
    try:
        COMMANDS[command](**given)
    except SystemExit as error:
        if error.code == TERMINATED:
            raise
        raise EnvironmentFailed(f"an environment called sys.exit({error.code!r})", traceback.format_exc()) from error


class Terminated(BaseException):
    """SIGTERM arrived. No SystemExit, which an environment may raise, and which is then the environment's failure."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def train(
    env: str,
    algorithm: str,
    steps: int | None,
    seed: int,
    seeds: int | None,
    out: str | None,
    evaluations: int,
    checkpoint_seconds: float,
    env_args: dict[str, Any],
    hide: tuple[int, ...] | None,
    modules: Sequence[str],
    workers: Workers,
    options: dict[str, Any],
) -> None:
    """Train, after checking all that can be checked without starting anything."""
    from logpi.environments.registry import check
    from logpi.environments.source import hide as hide_entries
    from logpi.environments.source import with_arguments
    from logpi.presets.registry import find_algorithm

    recipe = find_algorithm(algorithm)(**options)
    recipe.settings(env)
    _import_modules(env, modules)
    check(env)
    source = hide_entries(with_arguments(env, env_args), hide)
    budget: dict[str, Any] = {"steps": steps, "evaluations": evaluations, "checkpoint_seconds": checkpoint_seconds}
    if seeds is None:
        from logpi.training.train import train

        train(source, recipe, seed=seed, out=out, workers=workers, **budget)
        return
    import jax

    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)  # one device per core: seeds are spread over devices
    from logpi.training.sweep import train_seeds

    train_seeds(source, recipe, seeds=range(seed, seed + seeds), out=out, **budget)


def resume(
    directory: str,
    steps: int | None,
    env: str | None,
    env_args: dict[str, Any],
    modules: Sequence[str],
    workers: Workers,
) -> None:
    """Continue a run."""
    _require_run(directory)
    _import_modules(env, modules)
    from logpi.training.train import resume

    resume(directory, steps=steps, env=env, env_args=env_args, workers=workers)


def evaluate(
    directory: str,
    env: str | None,
    env_args: dict[str, Any],
    hide: tuple[int, ...] | None,
    modules: Sequence[str],
    episodes: int,
    seed: int,
    stochastic: bool,
    max_episode_steps: int | None,
    best: bool,
    as_json: bool,
) -> None:
    """Evaluate a run's policy on the task it was trained on, or on another one."""
    _require_run(directory)
    _import_modules(env, modules)
    from logpi.core.compilation import use_persistent_cache
    from logpi.environments.source import name_of
    from logpi.evaluation.evaluate import evaluate
    from logpi.runs import configuration
    from logpi.runs.run import load

    source = configuration.environment(configuration.read(Path(directory)), Path(directory), env, env_args, hide)
    use_persistent_cache()
    run = load(directory, which="best" if best else "final")
    result = evaluate(
        run.policy, source, episodes=episodes, seed=seed, stochastic=stochastic, max_episode_steps=max_episode_steps
    )
    if as_json:
        returns, lengths = result.returns.tolist(), result.lengths.tolist()
        print(json.dumps({"returns": returns, "lengths": lengths, "mean": result.mean, "ci": result.ci}))
    else:
        low, high = result.ci
        print(
            f"return {result.mean:z.1f}  95 % interval {low:z.1f} … {high:z.1f}"
            f"  over {episodes} episodes of {name_of(source)}"
        )


def export(directory: str, out: str | None, best: bool) -> None:
    """Write a run's policy as one file that acts with NumPy alone."""
    _require_run(directory)
    from logpi.runs.export import export
    from logpi.runs.run import load

    print(export(load(directory, which="best" if best else "final"), out or Path(directory) / "policy.py"))


def lab(env: str, modules: Sequence[str], **given: Any) -> None:
    """Measure estimators of the gradient."""
    _import_modules(env, modules)
    from logpi.cli.lab import lab

    lab(env, **given)


def algorithms() -> None:
    """List the algorithms."""
    from logpi.presets.registry import algorithms

    for name, preset in algorithms().items():
        print(f"{name:18} {(preset.__doc__ or '').partition(chr(10))[0]}")


def envs(modules: Sequence[str]) -> None:
    """List the environments of every backend that is installed, and Gymnasium's; then what others need."""
    _import_modules(None, modules)
    from logpi.environments.registry import missing, names

    needed = missing()
    for name in names():
        if name not in needed:
            print(name)
    for name, package in needed.items():
        print(f"{name}  needs {package}")


def _require_run(directory: str) -> None:
    """Raise LogpiError at once, before JAX is imported, where there is no run to read."""
    from logpi.runs.files import read_json

    read_json(Path(directory) / "run.json")


def _import_modules(env: str | None, modules: Sequence[str]) -> None:
    """Import the modules that the user named.

    Only where the user names one, here or in the environment's name, is the current directory searched, after all
    other places: a file that lies in it cannot replace an installed module.
    """
    from logpi.environments.registry import import_modules, names_a_module

    if modules or (env is not None and names_a_module(env)):
        sys.path.append(os.getcwd())
    import_modules(modules)


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
