"""The factor γ^t of the exact discounted gradient."""

from jaxtyping import Array, Float

from logpi.credit.base import Credit, CreditWrapper
from logpi.errors import LogpiError
from logpi.types import Number, State, Trajectory


class TimeDiscounted(CreditWrapper):
    """Time-discounted credit γ^t Φ_t, t the step within its episode: the factor of the exact discounted gradient.

    ∇ Σ_t γ^t r_t = E Σ_t γ^t ∇log π(a_t|s_t) (Σ_{l≥t} γ^{l−t} r_l − b_t). Practice drops the factor (without it, late
    steps count as much as early ones, and the direction is no longer that gradient's; Nota and Thomas 2020); wrapped
    around a credit that already has its baseline, this restores it.

    - `credit`: the credit Φ, its baseline subtracted.
    - `gamma`: γ ∈ [0, 1], the same as the credit's.

    Raises LogpiError for the total return, and for a credit that is time-discounted, with a baseline or without: their
    rewards are discounted from the episode's start already, so that the factor would count twice.
    """

    credit: Credit
    gamma: Number

    def __check_init__(self):
        """Refuse a credit that has the factor already."""
        if self.credit.is_discounted_from_start:
            raise LogpiError(
                f"TimeDiscounted({type(self.credit).__name__}(…)): this credit is discounted from the episode's start"
                " already; allowed: it by itself, or a credit that is discounted from t on, such as RewardToGo"
            )

    @property
    def is_discounted_from_start(self) -> bool:
        """True: γ^t Φ_t."""
        return True

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return γ^t Φ_t, and the target of the credit."""
        phi, target = self.credit(state, tau)
        return phi * self.gamma ** tau.time.astype(phi.dtype), target
