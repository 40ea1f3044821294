"""POMDPs whose observations show the last action."""

import numpy as np

from logpi.oracle.pomdp import POMDP


def action_augmented(pomdp: POMDP) -> POMDP:
    """Add the last action to the observation: o after a is numbered (a + 1)·O + o, and the first observation o is o.

    A policy then knows o_0, a_0 … a_{t−1}, o_t, and V of its history is V of its belief: E[r + γ V(h')] given h and a
    is Q(h, a), which is not so where the history leaves the actions out.
    """
    actions, states, number = pomdp.observation.shape
    shown = np.zeros((actions, states, actions + 1, number))
    for action in range(actions):
        shown[action, :, action + 1] = pomdp.observation[action]
    first = np.zeros((states, actions + 1, number))
    first[:, 0] = pomdp.first_observation
    return POMDP(
        pomdp.transition,
        pomdp.reward,
        pomdp.initial,
        shown.reshape(actions, states, -1),
        pomdp.gamma,
        pomdp.horizon,
        pomdp.terminal,
        first.reshape(states, -1),
    )
