"""The contract of updates."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float, Key, PyTree

from logpi.objectives.base import Objective
from logpi.types import Batch


@runtime_checkable
class Update(Protocol):
    """One improvement of an objective, starting from θ. State between updates lives in `opt`."""

    def init(self, params: PyTree) -> PyTree:
        """Return the update's own state for these parameters."""
        ...

    def __call__(
        self, objective: Objective, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, dict[str, Float[Array, ""]]]:
        """Return (θ', opt', scalar metrics)."""
        ...
