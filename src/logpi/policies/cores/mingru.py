"""The minimal gated recurrent unit, whose gates see the input alone, so that time can be computed in parallel."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Key

from logpi.policies.cores.initialization import stacked_orthogonal


class MinGRU(eqx.Module):
    """Minimal gated recurrent unit, whose memory is its output h [H]:

        z = σ(W_z x + b_z),  c = W_c x + b_c,  h' = (1 − z) h + z c.

    Since z and c do not depend on h, h_t = A_t h_0 + B_t with products and sums over time that an associative scan
    computes in log T steps. On a CPU, which gains nothing by that, rows are computed one after the other: an update of
    128 × 16 rows of 64 units takes 2.9 ms so and 7.1 ms by the associative scan, whose program takes eight times as
    long to compile.

    - `inputs`, `size`: lengths of x and of h.

    Input weights are orthogonal, one matrix for z and one for c. Biases of z run evenly from −4 to 0 over the units, so
    that a new core has units that forget after 2 to 50 steps; those of c are zero.

    Source: Feng et al. 2024, "Were RNNs all we needed?", §3.1. Differs: no logarithms, since c may be negative; the
    spread of biases, in the manner of Tallec and Ollivier 2018.
    """

    weight: Float[Array, "I H2"]
    bias: Float[Array, " H2"]

    def __init__(self, inputs: int, size: int, *, key: Key[Array, ""]):
        """Make a core of `size` units for `inputs` numbers."""
        self.weight = stacked_orthogonal(key, inputs, size, 2)
        self.bias = jnp.concatenate([jnp.linspace(-4, 0, size), jnp.zeros(size)])

    def initial(self) -> Float[Array, " H"]:
        """Return zeros."""
        return jnp.zeros(self.bias.size // 2)

    def __call__(self, x: Float[Array, " I"], memory: Float[Array, " H"]) -> tuple[Array, Array]:
        """Return (h', h')."""
        gate, candidate = jnp.split(x @ self.weight + self.bias, 2)
        h = memory + jax.nn.sigmoid(gate) * (candidate - memory)
        return h, h

    def unroll(
        self, x: Float[Array, "T I"], begins: Bool[Array, " T"], memory: Float[Array, " H"]
    ) -> tuple[Float[Array, "T H"], Float[Array, "T H"]]:
        """Return (h after each row, the same), from the maps h ↦ a h + b of single rows."""
        gate, candidate = jnp.split(x @ self.weight + self.bias[None], 2, axis=1)
        z = jax.nn.sigmoid(gate)
        a = jnp.where(begins[:, None], 0, 1 - z)  # the memory before an episode's first row is 0
        compose = compose_in_turn if jax.default_backend() == "cpu" else compose_in_parallel
        h = compose(a, z * candidate, memory)
        return h, h


def compose_in_turn(a: Float[Array, "T H"], b: Float[Array, "T H"], h: Float[Array, " H"]) -> Float[Array, "T H"]:
    """Compute h_t = a_t h_{t−1} + b_t one row after the other."""

    def step(h: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        h = row[0] * h + row[1]
        return h, h

    return lax.scan(step, h, (a, b))[1]


def compose_in_parallel(a: Float[Array, "T H"], b: Float[Array, "T H"], h: Float[Array, " H"]) -> Float[Array, "T H"]:
    """Compute h_t = a_t h_{t−1} + b_t by an associative scan, in log T steps."""
    a, b = lax.associative_scan(_compose, (a, b))
    return a * h[None] + b


def _compose(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Compose h ↦ a₁ h + b₁ with h ↦ a₂ h + b₂."""
    (a1, b1), (a2, b2) = first, second
    return a1 * a2, a2 * b1 + b2
