"""The Gaussian squashed by tanh: real actions within (−1, 1)."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from logpi.distributions.gaussian import Gaussian
from logpi.distributions.protocol import numpy_sampler

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)


class Squashed(eqx.Module):
    """The distribution of a = tanh(u), u ~ `gaussian`. Samples, stored actions and `log_prob` use u; `to_env` gives a.

    log π = Σ_d [log N(u_d; μ_d, σ_d²) − log(1 − tanh² u_d)], the density of a: it integrates to 1 over (−1, 1). The
    inverse of tanh is never needed, so no precision is lost where tanh u rounds to ±1.

    Source: Haarnoja et al. 2018, appendix C, eq. (26).

    >>> Squashed(Gaussian(jnp.zeros(1), jnp.zeros(1))).log_prob(jnp.zeros(1))  # equals the Gaussian's: tanh' 0 = 1
    Array(-0.9189385, dtype=float32)
    """

    gaussian: Gaussian

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B A"]:
        """Standard normal noise."""
        return self.gaussian.noise(key)

    def push(self, noise: Float[Array, "*B A"]) -> Float[Array, "*B A"]:
        """u = μ + σ ε."""
        return self.gaussian.push(noise)

    def sample(self, key: Key[Array, ""]) -> Float[Array, "*B A"]:
        """Sample u: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str] | None:
        """Sampler of the Gaussian, or None if there is none."""
        return numpy_sampler(self.gaussian)

    def log_prob(self, action: Float[Array, "*B A"]) -> Float[Array, "*B"]:
        """Log density of a = tanh u, given u."""
        return self.gaussian.log_prob(action) - jnp.sum(_log_slope(action), axis=-1)

    def entropy(self) -> Float[Array, "*B"]:
        """H(gaussian) + Σ_d E log(1 − tanh² u_d), in nats, by Gauss–Hermite quadrature with 32 nodes.

        The error per dimension is at most 1e-5 for σ ≤ 1, 2e-4 for σ ≤ 2, 3e-3 for σ ≤ 3.
        """
        nodes, weights = (jnp.asarray(x, self.gaussian.mean.dtype) for x in (NODES, WEIGHTS / WEIGHTS.sum()))
        u = self.gaussian.mean[..., None] + jnp.multiply.outer(jnp.exp(self.gaussian.log_std), nodes)
        return self.gaussian.entropy() + jnp.sum(_log_slope(u) @ weights, axis=-1)

    def kl(self, other: "Squashed") -> Float[Array, "*B"]:
        """KL(self‖other), equal to KL of the Gaussians because tanh is a bijection; in nats."""
        return self.gaussian.kl(other.gaussian)

    def mode(self) -> Float[Array, "*B A"]:
        """u = μ, whose image tanh μ is the median of the actions; where σ is large, their density peaks elsewhere."""
        return self.gaussian.mode()

    def to_env(self, action: Float[Array, "..."]) -> Float[Array, "..."]:
        """Action sent to the environment: tanh u, in [−1, 1]."""
        return jnp.tanh(action)


def _log_slope(u: Float[Array, "..."]) -> Float[Array, "..."]:
    """log(1 − tanh² u) = 2 (log 2 − u − log(1 + e^{−2u})), which neither cancels nor overflows."""
    return 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))
