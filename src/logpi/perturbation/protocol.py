"""The contract of a zeroth-order gradient estimator."""

from typing import Protocol, runtime_checkable

from jaxtyping import Array, Float, Int, Key

from logpi.types import Info

Estimate = tuple[Float[Array, " P"], Float[Array, " P"], Info]
"""(ĝ, variance of each coordinate of ĝ, metrics)."""


@runtime_checkable
class Estimator(Protocol):
    """Estimator of ∇U(θ): which displacements Δ of θ to try, and how their returns become ĝ.

    Displacements of one estimate may be tried over several iterations; only what `keep` returns is stored until then.
    """

    def count(self, size: int, per_iteration: int) -> int:
        """Return the number of directions of one estimate.

        - `size`: P, the number of parameters.
        - `per_iteration`: number of directions that one iteration can try.
        """
        ...

    def directions(self, key: Key[Array, ""], size: int, index: Int[Array, " C"]) -> Float[Array, "C P"]:
        """Return the displacements Δ with these indices, for P = `size` parameters."""
        ...

    def keep(self, displacements: Float[Array, "C P"]) -> Float[Array, "C W"]:
        """Reduce displacements to the W numbers each that the estimate needs."""
        ...

    def __call__(
        self,
        displacements: Float[Array, "M W"],
        plus: Float[Array, "K M"],
        minus: Float[Array, "K M"],
        separation: float,
    ) -> Estimate:
        """Estimate the gradient: (ĝ, its variance per coordinate, metrics).

        - `displacements`: of M directions, as `keep` returned them.
        - `plus`, `minus`: returns of K episodes on both sides of each direction.
        - `separation`: distance of the two sides of direction j in units of Δ_j.
        """
        ...
