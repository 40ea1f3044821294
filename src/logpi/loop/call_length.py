"""Length of a call on the device: as many iterations as take a quarter of a second."""

from logpi.loop.topology import ONE_PROCESS, Topology

TARGET_SECONDS = 0.25  # a call costs far less than this, and a person who waits for its end notices no more
MAX_GROWTH = 4


class CallLength:
    """Number of iterations of the next call: one at first, then as many as took `seconds` at the last call's speed."""

    def __init__(self, seconds: float = TARGET_SECONDS, topology: Topology = ONE_PROCESS):
        """- `seconds`: target duration of a call, ≥ 0, default 0.25; with 0, every call makes one iteration.
        - `topology`: processes that must make calls of equal length.
        """
        self._seconds, self._topology, self.iterations = seconds, topology, 1

    def update(self, seconds: float, iterations: int) -> None:
        """Update from the last call's duration and iterations; the number grows at most 4× per call."""
        fits = int(self._seconds * iterations / max(seconds, 1e-9))
        self.iterations = self._topology.agree(max(1, min(fits, MAX_GROWTH * self.iterations)))
