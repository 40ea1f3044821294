"""The gated recurrent unit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Bool, Float, Key

from logpi.policies.cores.initialization import stacked_orthogonal
from logpi.policies.memory import reset_memory


class GRU(eqx.Module):
    """Gated recurrent unit, whose memory is its output h [H]:

        r = σ(W_r x + U_r h + b_r),  z = σ(W_z x + U_z h + b_z),  c = tanh(W_c x + b_c + r · (U_c h + d)),
        h' = (1 − z) c + z h.

    - `inputs`, `size`: lengths of x and of h.

    Input weights are orthogonal with gain 1, as are the recurrent ones of each gate; biases are zero.
    Source: Cho et al. 2014, in the form of cuDNN, where r is applied after the product with h.
    """

    input_weight: Float[Array, "I H3"]
    weight: Float[Array, "H H3"]
    bias: Float[Array, " H3"]
    candidate_bias: Float[Array, " H"]

    def __init__(self, inputs: int, size: int, *, key: Key[Array, ""]):
        """Make a core of `size` units for `inputs` numbers."""
        k_input, k_memory = jr.split(key)
        self.input_weight = stacked_orthogonal(k_input, inputs, size, 3)
        self.weight = stacked_orthogonal(k_memory, size, size, 3)
        self.bias, self.candidate_bias = jnp.zeros(3 * size), jnp.zeros(size)

    def initial(self) -> Float[Array, " H"]:
        """Return zeros."""
        return jnp.zeros_like(self.candidate_bias)

    def __call__(self, x: Float[Array, " I"], memory: Float[Array, " H"]) -> tuple[Array, Array]:
        """Return (h', h')."""
        h = self._step(x @ self.input_weight + self.bias, memory)
        return h, h

    def unroll(
        self, x: Float[Array, "T I"], begins: Bool[Array, " T"], memory: Float[Array, " H"]
    ) -> tuple[Float[Array, "T H"], Float[Array, "T H"]]:
        """Return (h after each row, the same): the inputs of all rows are multiplied at once."""

        def step(h: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
            h = self._step(row[0], reset_memory(self, row[1], h))
            return h, h

        after = lax.scan(step, memory, (x @ self.input_weight + self.bias[None], begins))[1]
        return after, after

    def _step(self, seen: Float[Array, " H3"], h: Float[Array, " H"]) -> Float[Array, " H"]:
        """Compute h' from W x + b and h."""
        kept = h @ self.weight
        r, z = jax.nn.sigmoid(seen[: 2 * h.size] + kept[: 2 * h.size]).reshape(2, -1)
        candidate = jnp.tanh(seen[2 * h.size :] + r * (kept[2 * h.size :] + self.candidate_bias))
        return candidate + z * (h - candidate)
