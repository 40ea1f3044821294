"""The contract of credits, the subtraction of a baseline, and V at the rows of a trajectory."""

from collections.abc import Callable

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from logpi.errors import LogpiError
from logpi.policies.action_critic import ActionCritic
from logpi.policies.evaluate import evaluate_critic, evaluate_critic_next
from logpi.types import State, Trajectory


class Credit(eqx.Module):
    """Credit assignment (state, τ) ↦ (Φ, target), both [T, N].

    Φ_t multiplies ∇log π(a_t|s_t) in the policy gradient; the target is what the critic is fitted to at s_t.
    `credit - baseline` subtracts a baseline, a function (state, τ, Φ) ↦ b [T, N].
    """

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return (Φ, target) of every row; rows that are not valid may hold anything."""
        raise NotImplementedError

    @property
    def is_discounted_from_start(self) -> bool:
        """True if Φ_t counts rewards as they count at the episode's start, not at t; False by default."""
        return False

    def __sub__(self, baseline: "Baseline") -> "WithBaseline":
        """Return the credit with the baseline subtracted."""
        return WithBaseline(self, baseline)


Baseline = Callable[[State, Trajectory, Array], Array]
"""(state, τ, Φ) ↦ b, all [T, N]."""


class CreditWrapper(Credit):
    """Abstract credit made of another one: members delegate to it; a subclass overrides what differs.

    - `credit`: the wrapped credit.
    """

    credit: eqx.AbstractVar[Credit]

    @property
    def is_discounted_from_start(self) -> bool:
        """That of the wrapped credit."""
        return self.credit.is_discounted_from_start


class WithBaseline(CreditWrapper):
    """Credit with a baseline: Φ_t − b_t. The target is that of the credit.

    - `credit`: the credit Φ.
    - `baseline`: (state, τ, Φ) ↦ b [T, N], such as `mean_baseline` or `LeaveOneOut()`.
    """

    credit: Credit
    baseline: Baseline

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Return Φ − b, and the target of the credit."""
        phi, target = self.credit(state, tau)
        return phi - self.baseline(state, tau, phi), target


def state_values(critic: PyTree, tau: Trajectory) -> Float[Array, "T N"]:
    """Evaluate V(s_t) at every row. Raises LogpiError where there is no critic of states."""
    return evaluate_critic(require_state_critic(critic), tau)


def next_state_values(critic: PyTree, tau: Trajectory) -> Float[Array, "T N"]:
    """Evaluate V(s_{t+1}) at the true successor of every row. Raises LogpiError where there is no critic of states."""
    return evaluate_critic_next(require_state_critic(critic), tau)


def require_state_critic(critic: PyTree) -> PyTree:
    """Return the critic itself; raise LogpiError where there is none, or one of actions."""
    if critic is None:
        raise LogpiError("this credit reads V(s) and there is no critic: give the algorithm a fit and a critic=…")
    if isinstance(critic, ActionCritic):
        raise LogpiError("this credit reads V(s) and the critic answers Q(s, a): give a critic of states")
    return critic
