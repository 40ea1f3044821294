"""The linear-quadratic regulator: continuous states and actions with an exact utility and gradient."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

from logpi.distributions.gaussian import Gaussian
from logpi.errors import LogpiError


def _floats(matrix: ArrayLike | Sequence[Any]) -> Array:
    return jnp.asarray(matrix, float)


class LinearGaussian(eqx.Module):
    """π(u|x) = N(K x, diag σ²).

    - `gain`: K.
    - `log_std`: log σ.
    """

    gain: Float[Array, "U X"]
    log_std: Float[Array, " U"]

    def __call__(self, obs: Float[Array, " X"]) -> Gaussian:
        """π(·|x)."""
        return Gaussian(self.gain @ obs, self.log_std)


class LQR(eqx.Module):
    """x' = A x + B u + w with w ~ N(0, W), reward −xᵀ Q x − uᵀ R u, x₀ ~ N(0, Σ₀).

    - `dynamics` A, `control` B.
    - `state_cost` Q, `control_cost` R: symmetric.
    - `noise` W, `initial` Σ₀: covariances.
    - `gamma`: γ ∈ [0, 1], less than 1 without a horizon.
    - `horizon`: H ≥ 1, the number of steps after which an episode terminates; None for infinite.

    Raises LogpiError for an infinite horizon without gamma < 1, or shapes that do not fit.
    """

    dynamics: Array = eqx.field(converter=_floats)
    control: Array = eqx.field(converter=_floats)
    state_cost: Array = eqx.field(converter=_floats)
    control_cost: Array = eqx.field(converter=_floats)
    noise: Array = eqx.field(converter=_floats)
    initial: Array = eqx.field(converter=_floats)
    gamma: float = eqx.field(static=True)
    horizon: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        """Raise LogpiError for invalid shapes, gamma or horizon."""
        if self.control.ndim != 2:
            raise LogpiError(f"control has shape {self.control.shape}; allowed: [X, U]")
        x, u = self.control.shape
        for name in ("dynamics", "state_cost", "control_cost", "noise", "initial"):
            shape, allowed = getattr(self, name).shape, (u, u) if name == "control_cost" else (x, x)
            if shape != allowed:
                raise LogpiError(f"{name} has shape {shape}; allowed: {allowed}, as control has {(x, u)}")
        if self.horizon is not None and self.horizon < 1:
            raise LogpiError(f"horizon is {self.horizon}; allowed: a whole number ≥ 1, or None for an infinite one")
        if not 0 <= self.gamma <= 1 or (self.gamma == 1 and self.horizon is None):
            raise LogpiError(f"gamma is {self.gamma}; allowed: 0 … 1, and less than 1 without a horizon")

    @eqx.filter_jit
    def utility(self, policy: LinearGaussian) -> Float[Array, ""]:
        """J = E Σ_t γ^t r_t = −E[Σ_t γ^t (xᵀ C x + tr R Σ_u)], C = Q + Kᵀ R K, Σ_u = diag σ²; −∞ where it diverges.

        With F = A + B K and N = W + B Σ_u Bᵀ, the second moment M = E x xᵀ follows M ← F M Fᵀ + N from Σ₀; over an
        infinite horizon J = −tr(C Z) − tr(R Σ_u)/(1 − γ), where Z = Σ_t γ^t M_t = γ F Z Fᵀ + Σ₀ + γ N/(1 − γ).
        """
        closed, cost, excited, effort = self._closed_loop(policy)
        if self.horizon is None:
            beyond = self.gamma / (1 - self.gamma)
            visited, converges = _lyapunov(closed * self.gamma**0.5, self.initial + beyond * excited)
            return jnp.where(converges, -jnp.sum(cost * visited) - effort / (1 - self.gamma), -jnp.inf)

        def step(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
            moment, weight = carry
            reward = -weight * (jnp.sum(cost * moment) + effort)
            return (closed @ moment @ closed.T + excited, weight * self.gamma), reward

        return jnp.sum(lax.scan(step, (self.initial, jnp.ones(())), None, self.horizon)[1])

    def gradient(self, policy: LinearGaussian) -> LinearGaussian:
        """Compute the exact ∇J in K and log σ by differentiating the recursion or the Lyapunov solution."""
        return jax.grad(lambda policy: self.utility(policy))(policy)

    def _closed_loop(self, policy: LinearGaussian) -> tuple[Any, Any, Any, Any]:
        """Return F, C, N and tr R Σ_u, as `utility` defines them."""
        variance = jnp.diag(jnp.exp(2 * policy.log_std))
        closed = self.dynamics + self.control @ policy.gain
        cost = self.state_cost + policy.gain.T @ self.control_cost @ policy.gain
        excited = self.noise + self.control @ variance @ self.control.T
        return closed, cost, excited, jnp.sum(self.control_cost * variance)


def _lyapunov(closed: Float[Array, "X X"], source: Float[Array, "X X"]) -> tuple[Float[Array, "X X"], Bool[Array, ""]]:
    """Solve Z = F Z Fᵀ + N as one linear system, and test that Σ_t Fᵗ N Fᵗᵀ converges to Z: ‖F^1024‖ < 1."""
    size = closed.shape[0]
    visited = jnp.linalg.solve(jnp.eye(size**2) - jnp.kron(closed, closed), source.reshape(-1))
    power = lax.fori_loop(0, 10, lambda _, f: f @ f, lax.stop_gradient(closed))
    return visited.reshape(size, size), jnp.linalg.norm(power) < 1
