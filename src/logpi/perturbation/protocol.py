"""What every zeroth-order estimate of a gradient offers."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float, Int, Key

Info = dict[str, Float[Array, ""]]
Estimate = tuple[Float[Array, " P"], Float[Array, " P"], Info]


@runtime_checkable
class Estimator(Protocol):
    """Which directions Δ to try, and what their returns say of ∇U."""

    def count(self, size: int, at_once: int) -> int:
        """How many directions one estimate takes, for P = `size` parameters; `at_once` are tried in an iteration."""
        ...

    def directions(self, key: Key[Array, ""], size: int, index: Int[Array, " C"]) -> Float[Array, "C P"]:
        """The displacements Δ of the directions with these numbers."""
        ...

    def keep(self, moved: Float[Array, "C P"]) -> Float[Array, "C W"]:
        """What must be remembered of the displacements until the estimate is complete."""
        ...

    def __call__(
        self, kept: Float[Array, "M W"], plus: Float[Array, "K M"], minus: Float[Array, "K M"], span: float
    ) -> Estimate:
        """(ĝ, its variance by coordinate, figures), from the returns of K episodes on both sides of M directions.

        The sides of direction j stand span · Δ_j apart.
        """
        ...
