"""Seeds derived from a run's seed: each purpose has its own, and none meets another."""

import numpy as np

TRAINING, EVALUATION, SELECTION = 0, 1, 2  # selection: which policy of a run is kept as its best
DEMONSTRATION = 3  # what other policies did, for a learner to see


def derive(seed: int, *path: int) -> int:
    """A 31-bit seed for a purpose: derive(seed, EVALUATION), derive(seed, TRAINING, iteration) …"""
    return int(np.random.SeedSequence((seed, *path)).generate_state(1)[0]) >> 1
