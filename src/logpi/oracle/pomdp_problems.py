"""Small POMDPs by name; `pomdp:NAME` makes an environment of one."""

import numpy as np

from logpi.errors import LogpiError
from logpi.oracle.pomdp import POMDP


def tiger(accuracy: float = 0.85, gamma: float = 0.95, horizon: int | None = None) -> POMDP:
    """Two doors, behind one of which is a tiger; actions listen, open left, open right.

    Listening costs 1 and tells the tiger's door (observation 0 left, 1 right) with probability `accuracy`. Opening pays
    10, or −100 where the tiger is; the tiger then goes behind either door, and the observation tells nothing. The first
    observation of an episode is 2, silence.

    Source: Kaelbling, Littman and Cassandra 1998, § 5.1, with γ = 0.75.
    """
    stay, anew = np.eye(2), np.full((2, 2), 0.5)
    hear = np.array([[accuracy, 1 - accuracy, 0], [1 - accuracy, accuracy, 0]])
    nothing = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0]])
    silence = np.array([[0.0, 0, 1], [0, 0, 1]])
    reward = [[-1.0, -100, 10], [-1, 10, -100]]
    return POMDP(
        np.stack([stay, anew, anew], axis=1),
        reward,
        [0.5, 0.5],
        np.stack([hear, nothing, nothing]),
        gamma,
        horizon,
        first_observation=silence,
    )


def t_maze(length: int = 6, gamma: float = 0.98, horizon: int | None = None) -> POMDP:
    """A corridor of `length` steps to a junction; actions up, right, down, left.

    Where the corridor begins the cue is seen, observation 0 for up and 1 for down; then 2 in the corridor, and 3 at the
    junction. There, up and down end the episode and pay 4 in the cue's direction, −0.1 in the other. A move into a wall
    costs 0.1. The optimal return is 4.

    Source: Bakker 2002, "Reinforcement learning with long short-term memory".
    """
    if length < 1:
        raise LogpiError(f"length is {length}; allowed: a whole number ≥ 1")
    places, end = length + 1, 2 * (length + 1)  # state = cue · places + place, and one that is terminal
    transition = np.zeros((end + 1, 4, end + 1))
    reward = np.zeros_like(transition)
    transition[end, :, end] = 1
    for cue, place in np.ndindex(2, places):
        state = cue * places + place
        for action, move in enumerate((0, 1, 0, -1)):
            after = cue * places + min(max(place + move, 0), length)
            if place == length and move == 0:
                after = end
                reward[state, action, after] = 4.0 if action == 2 * cue else -0.1
            elif after == state:
                reward[state, action, after] = -0.1
            transition[state, action, after] = 1
    state = np.arange(end + 1)
    cue, place = np.minimum(state // places, 1), state % places
    shows = np.eye(4)[np.where(place == length, 3, np.where(place == 0, cue, 2))]
    starts = (place == 0) & (state < end)
    return POMDP(transition, reward, starts / 2, shows, gamma, horizon, state == end)


def repeat_first(delay: int = 4, cues: int = 2, gamma: float = 1.0) -> POMDP:
    """A task of remembering: the first observation is one of `cues`, and the action after `delay` steps must name it.

    The cue is drawn uniformly. Observation `cues` says wait, and `cues` + 1, after `delay` steps, asks: an episode has
    `delay` + 1 steps, of which the last pays 1 if its action is the cue. The optimal return is 1, and without memory it
    is 1 / `cues` for `delay` ≥ 1.
    """
    for name, given, least in (("delay", delay, 0), ("cues", cues, 2)):
        if given < least:
            raise LogpiError(f"{name} is {given}; allowed: a whole number ≥ {least}")
    steps, end = delay + 1, cues * (delay + 1)  # state = cue · steps + time, and one that is terminal
    transition = np.zeros((end + 1, cues, end + 1))
    reward = np.zeros_like(transition)
    shows, first = np.zeros((2, end + 1, cues + 2))
    transition[end, :, end] = shows[end, -1] = first[end, 0] = 1
    for cue, time in np.ndindex(cues, steps):
        state = cue * steps + time
        transition[state, :, end if time == delay else state + 1] = 1
        shows[state, cues + (time == delay)] = first[state, cue] = 1
        reward[state, cue, end] = float(time == delay)
    starts = (np.arange(end + 1) % steps == 0) & (np.arange(end + 1) < end)
    return POMDP(transition, reward, starts / cues, shows, gamma, steps, np.arange(end + 1) == end, first)
