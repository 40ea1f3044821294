"""How many iterations to make in one call on the device, so that whoever waits for it waits a moment at most."""

TARGET_SECONDS = 0.25  # seconds: far more than what a call costs, and less than a person notices
MAX_GROWTH = 4


class CallLength:
    """Iterations to a call: one at first, then as many as take `seconds`, by the time that the last ones took."""

    def __init__(self, seconds: float = TARGET_SECONDS):
        """With 0 seconds, one iteration a call."""
        self._seconds, self.iterations = seconds, 1

    def update(self, seconds: float, iterations: int) -> None:
        """So long the last call took, and so many iterations it made: never more than four times as many next."""
        fits = int(self._seconds * iterations / max(seconds, 1e-9))
        self.iterations = max(1, min(fits, MAX_GROWTH * self.iterations))
