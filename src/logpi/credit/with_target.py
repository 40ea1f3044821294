"""Credit from one formula, the critic's target from another."""

from jaxtyping import Array, Float

from logpi.credit.base import Credit
from logpi.types import State, Trajectory


class WithTarget(Credit):
    """Φ from `credit`, what V is fitted to from `target`.

    `WithTarget(GAE(γ, λ), RewardToGo(γ))` is the pair of Algorithm 1 of Lovatto's deck: advantages by GAE, and a
    baseline fitted to the discounted return R^γ_t.
    """

    credit: Credit
    target: Credit

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """The one's Φ and the other's target."""
        return self.credit(state, tau)[0], self.target(state, tau)[1]
