"""The grammar of the command line. The options of `train` are those that its algorithm's preset declares."""

import argparse
import ast
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn

from logpi.cli.words import normalize, refuse_command, refuse_unknown_options, split_positional
from logpi.core.paths import read_path
from logpi.core.scalars import integer_within
from logpi.core.seeds import read_seed
from logpi.errors import LogpiError
from logpi.presets.registry import ALGORITHMS, canonical, find_algorithm
from logpi.rollout.workers.config import Workers

DEFAULT_ALGORITHM = "ppo"
SWITCHES_OF_TRAIN = ("-h", "--help", "--pipeline")  # all other options of `train` are followed by a value


class Parser(argparse.ArgumentParser):
    """An `argparse` parser that raises its errors, as one line, instead of printing them and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise LogpiError with the message that argparse would print."""
        raise LogpiError(f"{message}; `{self.prog} --help` lists what is allowed")


def parse(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Parse the words after `logpi` into a command and the arguments of its function in `main`.

    Raises LogpiError for words that do not fit the grammar.
    """
    parser = Parser("logpi", description="Policy gradients for reinforcement learning.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"logpi {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    for name, (add_arguments, help_line) in COMMANDS.items():
        command = commands.add_parser(
            name, help=help_line, allow_abbrev=False, formatter_class=argparse.RawTextHelpFormatter
        )
        add_arguments(command)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        refuse_command(arguments[0], COMMANDS)
    chosen = arguments[0] if arguments and arguments[0] in COMMANDS else None
    words, options = _complete_grammar(arguments, chosen, commands.choices)
    known, unknown = parser.parse_known_args(words)
    given = vars(known)
    command = given.pop("command")
    if unknown:
        raise LogpiError(f"unexpected {' '.join(unknown)}; `logpi {command} --help` shows what is expected")
    if "workers" in given:
        given["workers"] = Workers(*[given.pop(name) for name in ("workers", "restarts", "step_timeout", "pipeline")])
    if "env_args" in given:
        given["env_args"] = dict(given["env_args"])
    if command == "train":
        given["options"] = {name: given.pop(name) for name in options if name in given}
    return command, given


def _complete_grammar(
    arguments: list[str], command: str | None, parsers: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Add the algorithm's options to `train`: (the words as the parser takes them, names of the algorithm's options).

    Raises LogpiError for options that the command does not have, before argparse says less of them.
    """
    if command is None:
        return arguments, []
    every_option = [option for preset in ALGORITHMS.values() for option in preset.options.items()]
    of_algorithms = {f"--{name.replace('_', '-')}" for name, _ in every_option} if command == "train" else set()
    with_value = {flag for action in parsers[command]._actions if action.nargs != 0 for flag in action.option_strings}
    words = normalize(arguments[1:], every_option if of_algorithms else (), with_value)
    # argparse takes an optional positional argument only where it follows the one before without an option in between.
    positional, options = split_positional(words, {*with_value, *of_algorithms}, SWITCHES_OF_TRAIN)
    algorithm, own = DEFAULT_ALGORITHM, []
    if command == "train":
        algorithm = _algorithm_in(positional, {"-h", "--help"} & set(words))
        own = _add_options(parsers[command], algorithm)
        options = normalize(options, find_algorithm(algorithm).options.items(), with_value)
    allowed = {flag for action in parsers[command]._actions for flag in action.option_strings}
    refuse_unknown_options(options, command, allowed, ALGORITHMS if command == "train" else {})
    return [command, *positional, *options], own


def _train(parser: Parser) -> None:
    """Add the arguments of `train` that are the same for every algorithm."""
    parser.add_argument("env", help="environment: CartPole-v1 (Gymnasium), logpi:CartPole-v1 (JAX), module:factory, …")
    parser.add_argument(
        "algorithm",
        nargs="?",
        default=DEFAULT_ALGORITHM,
        help=f"algorithm, one of `logpi algorithms` (default {DEFAULT_ALGORITHM})",
    )
    parser.add_argument("--steps", type=_positive, help="budget of environment steps (default: as tuned, else 1e6)")
    parser.add_argument(
        "--seed",
        type=_seed,
        default=0,
        help="random seed, or none for a new one; repeats a run bit for bit (default 0)",
    )
    parser.add_argument("--seeds", type=_positive, help="number of seeds trained at once, from --seed on (JAX only)")
    parser.add_argument("--out", type=_directory, help="run directory to create (default runs/ENV/ALGORITHM-SEED-TIME)")
    parser.add_argument("--evaluations", type=_count, default=5, help="evaluations during training (default 5)")
    parser.add_argument(
        "--checkpoint-seconds", type=_seconds, default=30.0, help="seconds between checkpoints (default 30)"
    )
    _add_environment(parser)
    _add_hide(parser)
    _add_workers(parser)


def _add_options(parser: argparse.ArgumentParser, algorithm: str) -> list[str]:
    """Add the options of an algorithm's preset to `train`, and give their names."""
    preset = find_algorithm(algorithm)
    parser.description = preset.__doc__
    group = parser.add_argument_group(f"options of {algorithm} (a given value replaces the one tuned for the task)")
    defaults = preset.defaults
    for name, default in defaults.items():
        option = preset.options[name]
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        text = f"{option.help}; {option.allowed} (default {shown})".replace("%", "%%")
        flag = f"--{name.replace('_', '-')}"
        group.add_argument(flag, dest=name, default=argparse.SUPPRESS, metavar="X", help=text)
    return list(defaults)


def _add_environment(parser: Parser) -> None:
    """Add what tells how to find and make the environment."""
    group = parser.add_argument_group("environment")
    group.add_argument(
        "--env-arg",
        dest="env_args",
        action="append",
        default=[],
        type=_key_value,
        metavar="KEY=VALUE",
        help="keyword argument of the environment, a Python literal or else text; may be repeated",
    )
    _add_import(group)


def _add_hide(parser: Parser) -> None:
    parser.add_argument(
        "--hide",
        type=_entries,
        metavar="I,J,…",
        help="entries of the observation that are hidden from the policy, counted from 0, as 1,3",
    )


def _add_import(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="Python module to import first, which registers environments; may be repeated",
    )


def _add_workers(parser: Parser) -> None:
    """Add the options of worker processes."""
    group = parser.add_argument_group("worker processes (environments on the host)")
    group.add_argument(
        "--workers",
        type=_number_of_workers,
        help="processes that step the environments: a number, or auto (the default); results do not depend on it",
    )
    group.add_argument(
        "--restarts", type=_count, default=0, help="times that a failed environment may be made again (default 0)"
    )
    group.add_argument(
        "--step-timeout",
        type=_seconds,
        default=600.0,
        help="seconds without a step after which an environment counts as hung (default 600)",
    )
    group.add_argument(
        "--pipeline", action="store_true", help="collect while learning: the policy that acts is one update old"
    )


def _add_run(parser: Parser) -> None:
    parser.add_argument("directory", type=_directory, help="run directory, as `logpi train` made it")


def _add_named_environment(parser: Parser) -> None:
    parser.add_argument("--env", help="environment (default: the run's own); required if it is a module of yours")
    _add_environment(parser)


def _add_best(parser: Parser) -> None:
    parser.add_argument(
        "--best", action="store_true", help="use the best policy evaluated during training instead of the last"
    )


def _add_json(parser: Parser) -> None:
    parser.add_argument("--json", dest="as_json", action="store_true", help="print one JSON object")


def _resume(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--steps", type=_positive, help="new budget of environment steps, counted from the run's start")
    _add_named_environment(parser)
    _add_workers(parser)


def _evaluate(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--episodes", type=_positive, default=100, help="number of episodes (default 100)")
    parser.add_argument("--seed", type=_seed, default=0, help="random seed of the episodes (default 0)")
    parser.add_argument("--stochastic", action="store_true", help="sample actions instead of taking the mode")
    _add_best(parser)
    parser.add_argument("--max-episode-steps", type=_positive, help="time limit, for a task that has none")
    _add_json(parser)
    _add_named_environment(parser)
    _add_hide(parser)


def _export(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--out", type=_directory, help="Python module to write (default DIR/policy.py)")
    _add_best(parser)


def _lab(parser: Parser) -> None:
    parser.add_argument("env", help="environment: tabular:chain etc., with exact answers, or any that `train` takes")
    parser.add_argument(
        "--run", type=_directory, help="run directory whose policy and critic are measured (default: new ones)"
    )
    parser.add_argument("--estimators", type=_names, help="gradient estimators, such as total-return,reward-to-go")
    parser.add_argument("--baselines", type=_names, help="baselines, such as none,mean,leave-one-out")
    parser.add_argument("--all", dest="everything", action="store_true", help="every estimator with every baseline")
    parser.add_argument("--batch", type=_positive, default=8, help="episodes per batch (default 8)")
    parser.add_argument("--batches", type=_positive, help="number of batches (default 2000 if exact, else 100)")
    parser.add_argument(
        "--reference",
        type=_positive,
        default=4000,
        help="episodes that estimate ∇J if not exact (default 4000)",
    )
    parser.add_argument("--gamma", type=float, help="discount γ (default: the MDP's or the run's, else 0.99)")
    parser.add_argument("--horizon", type=_positive, help="time limit of an episode, in steps")
    parser.add_argument("--exact", action="store_true", help="refuse a task without exact answers")
    parser.add_argument("--seed", type=_seed, default=0, help="random seed of policies and episodes (default 0)")
    parser.add_argument("--out", type=_directory, help="directory for table.csv and figure.png")
    _add_json(parser)
    _add_environment(parser)
    _add_hide(parser)


COMMANDS: Mapping[str, tuple[Callable[[Parser], None], str]] = {
    "train": (_train, "train a policy on a task"),
    "resume": (_resume, "continue a run from its newest checkpoint"),
    "evaluate": (_evaluate, "play episodes with a trained policy"),
    "export": (_export, "write a policy as a Python module that needs NumPy alone"),
    "lab": (_lab, "measure bias and variance of gradient estimators"),
    "algorithms": (lambda parser: None, "list the algorithms"),
    "envs": (_add_import, "list the environments"),
}


def _algorithm_in(positional: list[str], asks_for_help: Collection[str]) -> str:
    """Return the algorithm among the positional arguments of `train`: it decides which options there are to parse.

    Raises LogpiError where an algorithm stands in the environment's place, unless help with it is asked for.
    """
    first, second = (*positional, None, None)[:2]
    if first is not None and canonical(first) in ALGORITHMS and (second is None or canonical(second) not in ALGORITHMS):
        if asks_for_help:
            return first
        right = f"logpi train {second or 'CartPole-v1'} {canonical(first)}"
        raise LogpiError(f"{first} is an algorithm, and the environment comes first: {right}")
    return second or DEFAULT_ALGORITHM


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _entries(text: str) -> tuple[int, ...]:
    return tuple(_count(entry) for entry in text.split(","))


def _key_value(text: str) -> tuple[str, Any]:
    """Read `key=value`; a value that is no Python literal is text."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError(f"it is {text}; allowed: KEY=VALUE, as map_name=8x8")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return key, value


def _number_of_workers(text: str) -> int | None:
    return None if text.lower() == "auto" else _count(text)


def _positive(text: str) -> int:
    return _whole_number(text, 1)


def _count(text: str) -> int:
    return _whole_number(text, 0)


def _whole_number(text: str, low: int) -> int:
    number = integer_within(text, low, math.inf)
    if number is None:
        raise argparse.ArgumentTypeError(f"it is {text}; allowed: a whole number ≥ {low}")
    return number


def _seed(text: str) -> int:
    try:
        return read_seed(text)
    except LogpiError as error:
        raise argparse.ArgumentTypeError(str(error).replace("seed is", "it is")) from None


def _directory(text: str) -> str:
    try:
        return str(read_path("it", text))
    except LogpiError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
