"""Atari games as policies see them: four gray pictures of 84 × 84, an action every four frames."""

import gymnasium

from logpi.errors import LogpiError


def atari(game: str) -> gymnasium.Env:
    """A game with the usual preprocessing and the last four pictures as one observation, uint8 [4, 84, 84].

    - `game`: its id, as "Pong-v5". `logpi train atari:Pong-v5` is the same.

    Up to 30 idle actions begin an episode; actions stick as the id says (a quarter of them in v5); rewards are the
    game's own; losing a life ends nothing; an episode is cut off after 27,000 actions, half an hour of play.
    Needs the extra `atari`; raises LogpiError without it, and for a game that there is not.

    Source: Mnih et al. 2015, methods; Machado et al. 2018, §5.
    """
    try:
        import ale_py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise LogpiError(f"atari:{game} needs the extra atari: pip install 'logpi[atari]'") from None
    gymnasium.register_envs(ale_py)
    try:
        env = gymnasium.make(f"ALE/{game}", frameskip=1)
    except gymnasium.error.Error as error:
        raise LogpiError(f"unknown game atari:{game} ({str(error).rstrip('.')})") from None
    seen = gymnasium.wrappers.FrameStackObservation(gymnasium.wrappers.AtariPreprocessing(env), 4)
    return gymnasium.wrappers.TimeLimit(seen, 27_000)
