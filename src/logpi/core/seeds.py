"""Independent seeds derived from a run's seed, one for each purpose."""

import numpy as np

TRAINING, EVALUATION, SELECTION = 0, 1, 2  # selection: choosing the best policy of a run
DEMONSTRATION = 3  # episodes collected as demonstrations


def derive(seed: int, *path: int) -> int:
    """Derive a 31-bit seed for a purpose: derive(seed, EVALUATION), derive(seed, TRAINING, iteration), …"""
    return int(np.random.SeedSequence((seed, *path)).generate_state(1)[0]) >> 1
