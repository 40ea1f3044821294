"""MDPs with time as part of the state."""

import numpy as np

from logpi.errors import LogpiError
from logpi.oracle.mdp import MDP


def time_augmented(mdp: MDP) -> MDP:
    """Augment the state with time: states (t, s), numbered t·S + s, and one additional terminal state, numbered H·S.

    The result ends by reaching the terminal state and has no horizon. V of a finite horizon depends on time; here it is
    a function of the state, as critics assume, and some optimal policy is stationary. The last step pays r(s, a), the
    expected reward. Raises LogpiError without a horizon.
    """
    if mdp.horizon is None:
        raise LogpiError("only an MDP with a horizon can be time-augmented: MDP(…, horizon=H)")
    steps, size = mdp.horizon, mdp.states
    total, terminal = steps * size + 1, np.asarray(mdp.terminal)
    transition, reward = np.zeros((2, total, mdp.actions, total))
    transition[:, :, -1] = 1
    for t in range(steps - 1):
        now, then = slice(t * size, (t + 1) * size), slice((t + 1) * size, (t + 2) * size)
        transition[now, :, then], reward[now, :, then] = mdp.transition, mdp.reward
        transition[now, :, -1] = 0
    return _last_step(mdp, transition, reward, np.append(np.tile(terminal, steps), True))


def _last_step(mdp: MDP, transition: np.ndarray, reward: np.ndarray, terminal: np.ndarray) -> MDP:
    """Let every action of the last step lead to the terminal state and pay its expected reward."""
    last = slice(-1 - mdp.states, -1)
    reward[last, :, -1] = np.sum(np.asarray(mdp.transition) * np.asarray(mdp.reward), axis=-1)
    initial = np.zeros(len(terminal))
    initial[: mdp.states] = mdp.initial
    return MDP(transition, reward, initial, mdp.gamma, terminal=terminal)
