"""What every update offers."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float, Key, PyTree

from logpi.types import Batch


@runtime_checkable
class Update(Protocol):
    """One improvement of an objective, starting from θ. What adapts from one update to the next lives in `opt`."""

    def init(self, params: PyTree) -> PyTree:
        """The update's own state for these parameters."""
        ...

    def __call__(
        self, objective: Any, params: PyTree, batch: Batch, opt: PyTree, key: Key[Array, ""]
    ) -> tuple[PyTree, PyTree, dict[str, Float[Array, ""]]]:
        """(objective, θ, batch, opt, key) → (θ', opt', figures for people)."""
        ...
