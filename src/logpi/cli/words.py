"""The words of a command line in the one spelling that the parser takes, and what to say of words that it does not."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NoReturn

from logpi.errors import LogpiError
from logpi.presets.options import Option, option_hint, sizes, switch
from logpi.presets.recipe import Preset

MISPLACED = {
    "the environment is the first word, as in `logpi train CartPole-v1 ppo`": (
        "env env-id env-name environment environment-name environment-id gym-id task".split()
    ),
    "the algorithm is the second word, as in `logpi train CartPole-v1 ppo`": (
        "algo algorithm algorithm-name alg agent method policy".split()
    ),
    "the run directory is the first word, as in `logpi evaluate runs/mine`": (
        "run dir directory run-dir checkpoint checkpoint-path model model-path load load-path".split()
    ),
    "the mode of π is taken unless --stochastic is given": "deterministic greedy".split(),
    "the device is chosen by JAX_PLATFORMS=cpu, cuda or tpu": "device cuda gpu use-gpu".split(),
}
PLACES = {name: place for place, names in MISPLACED.items() for name in names}


def normalize(
    words: Iterable[str], options: Iterable[tuple[str, Option]], given_by_value: Collection[str]
) -> list[str]:
    """Rewrite what has several spellings: `--Num_Envs`, `--hidden 64 64`, and switches without a value or with `--no-`.

    - `options`: of presets, by name; several presets may have options of one name.
    - `given_by_value`: options of the command itself that are followed by a value, as `--out`.
    """
    options = list(options)
    switches = {_flag(name) for name, option in options if option.read is switch}
    lists = {_flag(name) for name, option in options if option.read is sizes}
    return list(_rewritten(list(words), switches, lists, given_by_value))


def _rewritten(
    words: list[str], switches: Collection[str], lists: Collection[str], given_by_value: Collection[str]
) -> Iterator[str]:
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            yield word
            continue
        flag, equals, value = word.partition("=")
        flag = flag.lower().replace("_", "-")
        if not equals and flag.startswith("--no-") and f"--{flag[5:]}" in switches:
            yield f"--{flag[5:]}=false"
        elif not equals and flag in switches and not (words and _is_switch_value(words[0])):
            yield f"{flag}=true"
        elif not equals and flag in lists:
            sizes_of_layers = []
            while words and words[0].strip("[](),").replace(",", "").isdigit():
                sizes_of_layers.append(words.pop(0).strip("[](),"))
            yield f"{flag}={','.join(sizes_of_layers)}" if sizes_of_layers else flag
        else:
            yield flag + equals + value
            if not equals and flag in given_by_value and words:
                yield words.pop(0)


def split_positional(
    words: list[str], with_value: Collection[str], switches: Collection[str]
) -> tuple[list[str], list[str]]:
    """Split words into (positional arguments, options with their values).

    - `with_value`, `switches`: options with and without a value; one that is in neither is taken to have a value,
      unless it is the last word or another option follows.
    """
    positional, options, is_value = [], [], False
    for word in words:
        if is_value and (not word.startswith("-") or options[-1] in with_value):
            options.append(word)
            is_value = False
        elif word.startswith("-"):
            options.append(word)
            is_value = "=" not in word and (word in with_value or word not in switches)
        else:
            positional.append(word)
    return positional, options


def refuse_unknown_options(
    words: Iterable[str], command: str, allowed: Collection[str], presets: Mapping[str, Preset]
) -> None:
    """Raise LogpiError for an option that the command does not have, with the one that was meant.

    - `allowed`: the command's options, as `--num-envs`.
    - `presets`: by name, whose options may be those of another algorithm.
    """
    for word in words:
        flag = word.partition("=")[0]
        if not flag.startswith("--") or flag in allowed:
            continue
        name = flag[2:].replace("-", "_")
        hint = option_hint(name, [x[2:].replace("-", "_") for x in allowed], _flag)
        owners = [algorithm for algorithm, preset in presets.items() if name in preset.options]
        if not hint.startswith(" (here") and (flag[2:] in PLACES or owners):
            hint = f": {PLACES.get(flag[2:], 'it belongs to ' + ', '.join(owners))}"
        end = " " if hint.endswith("?") else "; "
        raise LogpiError(f"unknown option {flag}{hint}{end}`logpi {command} --help` lists the options there are")


def refuse_command(given: str, commands: Collection[str]) -> NoReturn:
    """Raise LogpiError for a command that there is not."""
    near = difflib.get_close_matches(given.lower(), commands, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    raise LogpiError(f"unknown command {given}; {meant}allowed: {', '.join(commands)}")


def _is_switch_value(word: str) -> bool:
    try:
        switch(word)
    except ValueError:
        return False
    return True


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
