"""Atari games with the field's usual preprocessing: four gray images of 84 × 84, one action every four frames."""

import functools
from collections.abc import Callable
from typing import Any

import gymnasium

from logpi.errors import LogpiError


def atari(game: str, **arguments: Any) -> gymnasium.Env:
    """Make a game with the usual preprocessing and the last four images as one observation, uint8 [4, 84, 84].

    - `game`: its id, as "Pong-v5". `logpi train atari:Pong-v5` is the same.
    - `arguments`: further ones of the game, such as `difficulty` or `repeat_action_probability`.

    Up to 30 no-op actions begin an episode; actions repeat as the id says (a quarter of them in v5); rewards are the
    game's own; losing a life ends nothing; an episode is truncated after 27,000 actions, half an hour of play.
    Needs the extra `atari`; raises LogpiError without it, and for an unknown game.

    Source: Mnih et al. 2015, methods; Machado et al. 2018, §5.
    """
    _register(game)
    try:
        env = gymnasium.make(f"ALE/{game}", frameskip=1, **arguments)
    except gymnasium.error.Error as error:
        raise LogpiError(f"unknown game atari:{game} ({str(error).rstrip('.')})") from None
    observed = gymnasium.wrappers.FrameStackObservation(gymnasium.wrappers.AtariPreprocessing(env), 4)
    return gymnasium.wrappers.TimeLimit(observed, 27_000)


def names() -> list[str]:
    """List the games of the Arcade Learning Environment, as "Pong-v5"."""
    _register("…")
    return sorted(name.removeprefix("ALE/") for name in gymnasium.registry if name.startswith("ALE/"))


def make(task: str, num_envs: int, time_limit: int | None, **arguments: object) -> Callable[[], gymnasium.Env]:
    """Give a factory of one game; whoever asks makes the copies and limits their episodes."""
    del num_envs, time_limit
    return functools.partial(atari, task, **arguments)


def _register(game: str) -> None:
    """Have the emulator's games in Gymnasium's registry. Raises LogpiError where it is not installed."""
    try:
        import ale_py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise LogpiError(f"atari:{game} needs the extra atari: pip install 'logpi[atari]'") from None
    gymnasium.register_envs(ale_py)
