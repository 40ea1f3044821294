"""Validation of an MDP's tables; errors name the invalid entry."""

import numpy as np

from logpi.errors import LogpiError

TOLERANCE = 1e-5  # largest error of a distribution's sum


def as_table(name: str, given: object) -> np.ndarray:
    """Convert an argument to a float64 array. Raises LogpiError if it holds no numbers, or rows of unequal lengths."""
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise LogpiError(f"{name} is no table of numbers ({error}); allowed: an array, or nested lists") from None


def check(
    transition: np.ndarray,
    reward: np.ndarray,
    initial: np.ndarray,
    gamma: float,
    horizon: int | None,
    terminal: np.ndarray,
) -> None:
    """Raise LogpiError unless the tables are an MDP."""
    _shapes(transition, reward, initial, terminal)
    _distribution("transition", transition)
    _distribution("initial", initial)
    too_large = ~(np.abs(reward) <= np.finfo(np.float32).max)
    if too_large.any():
        where = _first(too_large)
        raise LogpiError(f"reward[{_text(where)}] is {reward[where]}; allowed: finite numbers, as float32 holds them")
    if not 0 <= gamma <= 1:
        raise LogpiError(f"gamma is {gamma}; allowed: 0 … 1")
    if horizon is not None and (not isinstance(horizon, int) or isinstance(horizon, bool) or horizon < 1):
        raise LogpiError(f"horizon is {horizon}; allowed: a whole number ≥ 1, or None for an infinite one")
    starts_terminal = terminal & (initial > 0)
    if starts_terminal.any():
        raise LogpiError(f"initial[{_text(_first(starts_terminal))}] is positive, but that state is terminal")
    if gamma == 1 and horizon is None:
        _ends(transition, terminal)


def check_observations(shape: tuple[int, ...], observation: np.ndarray, first_observation: np.ndarray) -> None:
    """Raise LogpiError unless the tables say which observation follows an action [A, S, O] and comes first [S, O].

    - `shape`: of the transitions, (S, A, S).
    """
    states, actions, _ = shape
    number = first_observation.shape[-1] if first_observation.ndim else 0
    for name, table, allowed in (
        ("observation", observation, (actions, states, number)),
        ("first_observation", first_observation, (states, number)),
    ):
        if table.shape != allowed or number == 0:
            expected = "(S, O) or (A, S, O)" if name == "observation" else "(S, O)"
            raise LogpiError(
                f"{name} has shape {table.shape}; allowed: {expected}, with S = {states}, A = {actions} and the same"
                " O ≥ 1 in both tables"
            )
        _distribution(name, table)


def check_belief(belief: np.ndarray, states: int) -> None:
    """Raise LogpiError unless a vector is a distribution over so many states."""
    if belief.shape != (states,):
        raise LogpiError(f"belief has shape {belief.shape}; allowed: ({states},), a probability for each state")
    _distribution("belief", belief)


def _shapes(transition: np.ndarray, reward: np.ndarray, initial: np.ndarray, terminal: np.ndarray) -> None:
    """Raise LogpiError unless the shapes are [S, A, S], [S, A, S], [S] and [S]."""
    shape = transition.shape
    if len(shape) != 3 or shape[0] != shape[2] or 0 in shape:
        raise LogpiError(f"transition has shape {shape}; allowed: [S, A, S]")
    for name, array, allowed in (
        ("reward", reward, shape),
        ("initial", initial, shape[:1]),
        ("terminal", terminal, shape[:1]),
    ):
        if array.shape != allowed:
            raise LogpiError(f"{name} has shape {array.shape}; allowed: {allowed}, by the shape of transition")


def _distribution(name: str, table: np.ndarray) -> None:
    """Raise LogpiError unless the last axis of a table holds probabilities that sum to 1."""
    wrong = ~(table >= 0)  # written so that NaN counts as invalid
    if wrong.any():
        where = _first(wrong)
        raise LogpiError(f"{name}[{_text(where)}] is {table[where]}; allowed: probabilities ≥ 0")
    off = np.asarray(np.abs(table.sum(axis=-1) - 1) > TOLERANCE)
    if off.any():
        where = _first(off)
        row = f"[{_text(where)}]" if where else ""
        raise LogpiError(f"{name}{row} sums to {table.sum(axis=-1)[where]:.6g}; allowed: 1")


def _ends(transition: np.ndarray, terminal: np.ndarray) -> None:
    """Raise LogpiError unless every state can reach a terminal one, as γ = 1 without a horizon requires."""
    if not terminal.any():
        raise LogpiError("gamma is 1 with an infinite horizon; allowed: less than 1, a horizon, or a terminal state")
    follows, reaches = (transition > 0).any(axis=1), terminal
    for _ in terminal:
        reaches = reaches | (follows & reaches[None]).any(axis=1)
    if not reaches.all():
        raise LogpiError(
            f"state {_text(_first(~reaches))} can reach no terminal state, which gamma = 1 with an infinite"
            " horizon needs; allowed: gamma < 1, or a horizon"
        )


def _first(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _text(index: tuple[int, ...]) -> str:
    return ", ".join(map(str, index))
