"""The grammar of the command line, made from the algorithms' own options."""

import argparse
from typing import Any, NoReturn

from logpi.errors import LogpiError
from logpi.rollout.workers.config import Workers


class Parser(argparse.ArgumentParser):
    """An `argparse` parser whose errors are one line, raised, not printed."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise LogpiError(f"{message}; `{self.prog} --help` lists what is allowed")


def parse(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """The command and its arguments. Raises LogpiError for what does not fit the grammar."""
    parser = Parser("logpi", description="Policy gradients for reinforcement learning.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"logpi {_version()}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="train | resume | evaluate | export | lab | algorithms | envs"
    )
    _resume(commands.add_parser("resume", help="go on with a run that was ended", allow_abbrev=False))
    _evaluate(commands.add_parser("evaluate", help="play episodes with a trained policy", allow_abbrev=False))
    _export(commands.add_parser("export", help="write a policy as a file that needs NumPy alone", allow_abbrev=False))
    _lab(commands.add_parser("lab", help="bias and variance of estimators of the gradient", allow_abbrev=False))
    commands.add_parser("algorithms", help="list the algorithms")
    commands.add_parser("envs", help="list the environments")
    command = commands.add_parser(
        "train",
        help="train a policy on a task",
        allow_abbrev=False,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    algorithm = _algorithm_in(arguments) if arguments[:1] == ["train"] else "ppo"
    options = _train(command, algorithm)
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise LogpiError(f"unknown option {unknown[0]}; allowed: {_flags(commands.choices[known.command])}")
    given = vars(known)
    if "workers" in given:
        given["workers"] = Workers(*[given.pop(name) for name in ("workers", "restarts", "step_timeout", "pipeline")])
    if given["command"] == "train":
        return "train", _split(given, options)
    return given.pop("command"), given


def _train(parser: Parser, name: str) -> list[str]:
    """The arguments of `train ENV [ALGORITHM]`; the names of the algorithm's own options."""
    from logpi.presets.registry import find_algorithm

    preset = find_algorithm(name)
    defaults = preset.defaults
    parser.description = preset.__doc__
    parser.add_argument("env", help="CartPole-v1 (Gymnasium), logpi:CartPole-v1 (device), package.module:factory")
    parser.add_argument("algorithm", nargs="?", default="ppo", help="`logpi algorithms` lists them; ppo unless named")
    parser.add_argument(
        "--steps", type=_steps, help="environment steps at most (default: tuned for the task, else 1e6)"
    )
    parser.add_argument("--seed", type=_seed, default=0, help="same seed, same machine: same bits (default 0)")
    parser.add_argument("--seeds", type=_steps, help="so many seeds at once, from --seed on (environments in JAX)")
    parser.add_argument("--out", help="the run's directory (default runs/ENV/ALGORITHM-SEED-TIME)")
    parser.add_argument("--evaluations", type=_seed, default=5, help="evaluations while training (default 5)")
    parser.add_argument(
        "--checkpoint-seconds", type=_seconds, default=30.0, help="how much work can be lost at most (default 30)"
    )
    _workers(parser)
    group = parser.add_argument_group(f"options of {name} (those given prevail over those tuned for the task)")
    for option, default in defaults.items():
        about = preset.options[option]
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        text = f"{about.help}; {about.allowed} (default {shown})"
        flag = f"--{option.replace('_', '-')}"
        group.add_argument(flag, dest=option, default=argparse.SUPPRESS, metavar="X", help=text.replace("%", "%%"))
    return list(defaults)


def _workers(parser: Parser) -> None:
    group = parser.add_argument_group("workers (environments that are ordinary Python)")
    group.add_argument(
        "--workers",
        type=_number_of_workers,
        help="processes that step them: a number, or auto (the default); changes no bit",
    )
    group.add_argument(
        "--restarts", type=_seed, default=0, help="how often one that fails may be made anew (default 0)"
    )
    group.add_argument(
        "--step-timeout",
        type=_seconds,
        default=600.0,
        help="seconds without a step after which one hangs (default 600)",
    )
    group.add_argument("--pipeline", action="store_true", help="collect while learning: acting is one update behind")


def _resume(parser: Parser) -> None:
    parser.add_argument("directory", help="a run's directory")
    parser.add_argument("--steps", type=_steps, help="a new budget, counted from the run's beginning")
    parser.add_argument("--env", help="the environment, where it is a module of yours: package.module:factory")
    _workers(parser)


def _evaluate(parser: Parser) -> None:
    parser.add_argument("directory", help="a run's directory")
    parser.add_argument("--env", help="the environment, where it is a module of yours: package.module:factory")
    parser.add_argument("--episodes", type=_steps, default=100, help="how many (default 100)")
    parser.add_argument("--seed", type=_seed, default=0, help="of the episodes (default 0)")
    parser.add_argument("--stochastic", action="store_true", help="sample actions instead of taking the mode")
    parser.add_argument("--best", action="store_true", help="the best policy evaluated while training, not the last")
    parser.add_argument(
        "--max-episode-steps", type=_steps, help="the longest an episode may be, for a task without a limit"
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object on standard output")


def _export(parser: Parser) -> None:
    parser.add_argument("directory", help="a run's directory")
    parser.add_argument("--out", help="the Python module to write (default DIR/policy.py)")
    parser.add_argument("--best", action="store_true", help="the best policy evaluated while training, not the last")


def _lab(parser: Parser) -> None:
    parser.add_argument("env", help="tabular:chain and the like, where all is exact; or any task that `train` takes")
    parser.add_argument("--run", help="a run's directory: its policy and critic (default: fresh ones)")
    parser.add_argument("--estimators", type=_names, help="by name, as total-return,reward-to-go")
    parser.add_argument("--baselines", type=_names, help="by name, as none,mean,leave-one-out")
    parser.add_argument("--all", dest="everything", action="store_true", help="every estimator with every baseline")
    parser.add_argument("--batch", type=_steps, default=8, help="episodes to a batch (default 8)")
    parser.add_argument("--batches", type=_steps, help="how many (default 2000 with exact answers, else 100)")
    parser.add_argument("--reference", type=_steps, default=4000, help="episodes behind ∇J where it is not exact")
    parser.add_argument("--gamma", type=float, help="γ (default: the MDP's or the run's own, else 0.99)")
    parser.add_argument("--horizon", type=_steps, help="the longest an episode may be")
    parser.add_argument("--exact", action="store_true", help="refuse a task without exact answers")
    parser.add_argument("--seed", type=_seed, default=0, help="of policies and episodes (default 0)")
    parser.add_argument("--out", help="a directory for table.csv and figure.png")
    parser.add_argument("--json", dest="as_json", action="store_true", help="one JSON object on standard output")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _algorithm_in(arguments: list[str]) -> str:
    """The second positional argument after `train`, if there is one; every option of train takes one value."""
    positional, skip = [], False
    for word in arguments[1:]:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = "=" not in word and word not in ("-h", "--help", "--pipeline")
        else:
            positional.append(word)
    return positional[1] if len(positional) > 1 else "ppo"


def _split(given: dict[str, Any], options: list[str]) -> dict[str, Any]:
    own = {
        name: given[name]
        for name in (*options, "seeds", "evaluations", "checkpoint_seconds", "workers")
        if name in given
    }
    return {name: given[name] for name in ("env", "algorithm", "steps", "seed", "out")} | {"options": own}


def _flags(parser: argparse.ArgumentParser) -> str:
    return ", ".join(flag for action in parser._actions for flag in action.option_strings if flag.startswith("--"))


def _number_of_workers(text: str) -> int | None:
    return None if text == "auto" else _seed(text)


def _steps(text: str) -> int:
    try:
        number = float(text.replace("_", ""))
        if number == int(number) and number >= 1:
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"it is {text}; allowed: a whole number ≥ 1")


def _seed(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"it is {text}; allowed: a whole number ≥ 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        if (seconds := float(text)) >= 0:
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"it is {text}; allowed: a number ≥ 0")


def _version() -> str:
    from importlib import metadata

    return metadata.version("logpi")
