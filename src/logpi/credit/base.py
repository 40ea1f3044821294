"""Credit: how much of what followed is put down to each action, Φ."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, PyTree

from logpi.errors import LogpiError
from logpi.policies.action_critic import ActionCritic
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


def state_values(critic: PyTree, obs: PyTree) -> Float[Array, "T N"]:
    """V at every observation of a trajectory. Raises LogpiError where there is no V."""
    if critic is None:
        raise LogpiError("this credit reads V(s) and there is no critic: give the algorithm a fit and a critic=…")
    if isinstance(critic, ActionCritic):
        raise LogpiError("this credit reads V(s) and the critic answers Q(s, a): give a critic of states")
    return jax.vmap(jax.vmap(critic))(obs)
