"""Small MDPs by name; `tabular:NAME` makes an environment of one."""

import numpy as np

from logpi.errors import LogpiError
from logpi.oracle.mdp import MDP


def two_state(gamma: float = 0.9, horizon: int | None = None) -> MDP:
    """Two states; actions stay and move (works with probability 0.8). Staying pays 0.2 in state 0 and 1 in state 1."""
    stay = np.eye(2)
    transition = np.stack([stay, 0.2 * stay + 0.8 * stay[::-1]], axis=1)
    reward = np.zeros((2, 2, 2))
    reward[:, 0] = np.array([[0.2], [1.0]])
    return MDP(transition, reward, [1.0, 0.0], gamma, horizon)


def chain(length: int = 6, slip: float = 0.1, gamma: float = 0.95, horizon: int | None = None) -> MDP:
    """A line of `length` states; actions left and right, reversed with probability `slip`.

    Episodes start at the left end. A step that ends at the right end pays 1, one that ends at the left end 0.1.
    """
    if length < 2:
        raise LogpiError(f"length is {length}; allowed: a whole number ≥ 2")
    place = np.arange(length)
    left, right = np.eye(length)[np.maximum(place - 1, 0)], np.eye(length)[np.minimum(place + 1, length - 1)]
    transition = np.stack([(1 - slip) * left + slip * right, slip * left + (1 - slip) * right], axis=1)
    reward = np.zeros_like(transition)
    reward[..., 0], reward[..., -1] = 0.1, 1.0
    return MDP(transition, reward, place == 0, gamma, horizon)


def grid(size: int = 4, slip: float = 0.1, gamma: float = 0.99, horizon: int | None = None) -> MDP:
    """A square grid from the top left to the bottom right, −1 per step; actions up, right, down, left.

    With probability `slip` the direction is uniform over the four. Moves into walls leave the state unchanged.
    """
    moves = _moves(size, size)
    transition = (1 - slip) * moves + slip * moves.mean(axis=1, keepdims=True)
    state = np.arange(size * size)
    return MDP(transition, -np.ones_like(moves), state == 0, gamma, horizon, state == size * size - 1)


def cliff(rows: int = 4, columns: int = 12, gamma: float = 1.0, horizon: int | None = None) -> MDP:
    """The cliff walk from the bottom left to the bottom right, −1 per step; actions up, right, down, left.

    A step over the edge costs 100 and leads back to the start. The optimal return is −13.

    Source: Sutton and Barto 2018, "Reinforcement Learning", example 6.6.
    """
    moves = _moves(rows, columns)
    start, goal = (rows - 1) * columns, rows * columns - 1
    reward = -np.ones_like(moves)
    fall = moves[..., start + 1 : goal].sum(axis=-1)
    moves[..., start + 1 : goal] = 0
    moves[..., start] += fall
    reward[fall > 0] = -100
    state = np.arange(rows * columns)
    return MDP(moves, reward, state == start, gamma, horizon, state == goal)


def random(seed: int = 0, states: int = 5, actions: int = 3, gamma: float = 0.9, horizon: int | None = None) -> MDP:
    """A random MDP: transitions and start from Dirichlet(1, …, 1), rewards from N(0, 1); a Garnet without sparsity."""
    draw = np.random.default_rng(seed)
    transition = draw.dirichlet(np.ones(states), (states, actions))
    reward = draw.normal(size=(states, actions, states))
    return MDP(transition, reward, draw.dirichlet(np.ones(states)), gamma, horizon)


def _moves(rows: int, columns: int) -> np.ndarray:
    """Transitions [S, 4, S] of moves up, right, down, left on a grid; state = row · columns + column."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    after = [
        np.clip(row + down, 0, rows - 1) * columns + np.clip(column + right, 0, columns - 1)
        for down, right in ((-1, 0), (0, 1), (1, 0), (0, -1))
    ]
    return np.eye(rows * columns)[np.stack(after, axis=1)]
