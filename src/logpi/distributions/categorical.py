"""The categorical distribution: one of K actions."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, Key


class Categorical(eqx.Module):
    """π(a) = exp(zₐ) / Σ_k exp(z_k), over actions a ∈ {0, …, K−1}, batched over the leading axes of the logits z.

    >>> Categorical(jnp.array([0.0, 0.0])).entropy()  # log 2
    Array(0.6931472, dtype=float32)
    """

    logits: Float[Array, "*B K"]

    def noise(self, key: Key[Array, ""]) -> Float[Array, "*B K"]:
        """Standard Gumbel noise, one draw an action."""
        return jr.gumbel(key, self.logits.shape, self.logits.dtype)

    def push(self, noise: Float[Array, "*B K"]) -> Int[Array, "*B"]:
        """The Gumbel-max trick: argmaxₐ (zₐ + gₐ) ~ π (Gumbel 1954)."""
        return jnp.argmax(self.logits + noise, axis=-1).astype(jnp.int32)

    def sample(self, key: Key[Array, ""]) -> Int[Array, "*B"]:
        """An action: push ∘ noise."""
        return self.push(self.noise(key))

    def log_prob(self, action: Int[Array, "*B"]) -> Float[Array, "*B"]:
        """log π(a)."""
        return jnp.take_along_axis(self._log_probs(), action[..., None], axis=-1)[..., 0]

    def entropy(self) -> Float[Array, "*B"]:
        """−Σₐ π(a) log π(a), in nats."""
        log_p = self._log_probs()
        return -jnp.sum(jnp.exp(log_p) * log_p, axis=-1)

    def kl(self, other: "Categorical") -> Float[Array, "*B"]:
        """KL(self‖other) = Σₐ π(a) (log π(a) − log π'(a)), in nats."""
        log_p = self._log_probs()
        return jnp.sum(jnp.exp(log_p) * (log_p - other._log_probs()), axis=-1)

    def mode(self) -> Int[Array, "*B"]:
        """The most probable action."""
        return jnp.argmax(self.logits, axis=-1).astype(jnp.int32)

    def to_env(self, action: Any) -> Any:
        """What the environment is handed: the action itself."""
        return action

    def _log_probs(self) -> Float[Array, "*B K"]:
        return jax.nn.log_softmax(self.logits)
