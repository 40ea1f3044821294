"""Credit: how much of what followed is put down to each action, Φ."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from logpi.errors import LogpiError
from logpi.policies.action_critic import ActionCritic
from logpi.policies.evaluate import evaluate_critic, evaluate_critic_next
from logpi.types import State, Trajectory


class Credit(eqx.Module):
    """(state, τ) ↦ (Φ, target): the weight each action gets, and what V should predict at its observation.

    `credit - baseline` subtracts a baseline, a function (state, τ, Φ) ↦ b.
    """

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Credit and target of every row; rows that are not valid mean nothing."""
        raise NotImplementedError

    def __sub__(self, baseline: Any) -> "WithBaseline":
        """Φ − b."""
        return WithBaseline(self, baseline)


class WithBaseline(Credit):
    """Φ_t = (credit's Φ_t) − b_t; the target is the credit's own."""

    credit: Credit
    baseline: Any

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Credit less the baseline."""
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
