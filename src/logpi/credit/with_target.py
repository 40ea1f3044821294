"""Φ of one credit, and the critic's target of another."""

from jaxtyping import Array, Float

from logpi.credit.base import Credit, CreditWrapper
from logpi.types import State, Trajectory


class WithTarget(CreditWrapper):
    """Credit with the critic's target of another credit: Φ from `credit`, the target from `target`.

    `WithTarget(GAE(γ, λ), RewardToGo(γ))` is the pair of Algorithm 1 of Lovatto's deck: advantages by GAE, and a
    baseline fitted to the discounted return R^γ_t.
    """

    credit: Credit
    target: Credit

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return Φ of `credit` and the target of `target`."""
        return self.credit(state, tau)[0], self.target(state, tau)[1]
