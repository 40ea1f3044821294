"""The Gaussian distribution with diagonal covariance: a vector of real actions."""

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Key


class Gaussian(eqx.Module):
    """π(a) = Π_d N(a_d; μ_d, σ_d²), batched over the leading axes; events are summed over the last.

    >>> Gaussian(mean=jnp.zeros(1), log_std=jnp.zeros(1)).log_prob(jnp.zeros(1))  # −½ log 2π
    Array(-0.9189385, dtype=float32)
    """

    mean: Float[Array, "*B A"]
    log_std: Float[Array, "*B A"]

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B A"]:
        """Standard normal noise."""
        return jr.normal(key, self.mean.shape, self.mean.dtype)

    def push(self, noise: Float[Array, "*B A"]) -> Float[Array, "*B A"]:
        """μ + σ ε."""
        return self.mean + jnp.exp(self.log_std) * noise

    def sample(self, key: Key[Array, ""]) -> Float[Array, "*B A"]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def numpy_sampler(self) -> list[str]:
        """Method of `numpy.random.Generator` that draws the noise, with `{0}` for the shape."""
        return ["standard_normal({0})"]

    def log_prob(self, action: Float[Array, "*B A"]) -> Float[Array, "*B"]:
        """−½ Σ_d [((a_d − μ_d)/σ_d)² + 2 log σ_d + log 2π]."""
        z = (action - self.mean) * jnp.exp(-self.log_std)
        return -0.5 * jnp.sum(z**2 + 2 * self.log_std + math.log(2 * math.pi), axis=-1)

    def entropy(self) -> Float[Array, "*B"]:
        """Σ_d [log σ_d + ½ log 2πe], in nats."""
        return jnp.sum(self.log_std + 0.5 * math.log(2 * math.pi * math.e), axis=-1)

    def kl(self, other: "Gaussian") -> Float[Array, "*B"]:
        """KL(self‖other) = Σ_d [log(σ'/σ) + (σ² + (μ − μ')²)/(2σ'²) − ½], in nats."""
        log_ratio = self.log_std - other.log_std
        shift = (self.mean - other.mean) * jnp.exp(-other.log_std)
        return jnp.sum(0.5 * (jnp.expm1(2 * log_ratio) + shift**2) - log_ratio, axis=-1)

    def mode(self) -> Float[Array, "*B A"]:
        """The mean."""
        return self.mean

    def to_env(self, action: Float[Array, "..."]) -> Float[Array, "..."]:
        """Action sent to the environment: the sampled one (the environment maps it to its bounds)."""
        return action
