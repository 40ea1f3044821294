"""Gated attention over the last steps."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, Key

from logpi.policies.cores.initialization import stacked_orthogonal

Window = tuple[Float[Array, "K D"], Int[Array, ""]]
FAR = -1e9  # score of a step that is not there


class GatedAttention(eqx.Module):
    """Attention over the last K inputs, behind a gate, whose memory is (those inputs [K, D], how many there are):

        a = softmax_j (q(x_t) · k(x_{t−j}) / √D_h + p_j),  y = Σ_j a_j v(x_{t−j}),  j = 0 … K − 1, per head,
        z = σ(W_z [x, y] + b_z),  out = (1 − z) x + z tanh(W_o y),

    p_j is learned for each head and distance j (the oldest first). Since b_z begins at −2, a new core passes its input
    on: attention without a gate hardly trains by policy gradients (Parisotto et al. 2020, §3.2).

    - `inputs`: length D of x, and of the output.
    - `context`: K ≥ 1, steps looked back on, this one among them.
    - `heads`: number of heads, a divisor of D, 4.

    Source: Vaswani et al. 2017; Parisotto et al. 2020, "Stabilizing transformers for reinforcement learning". Differs:
    one layer; distances by a learned bias for each head, as Press et al. 2022 have a fixed one.
    """

    project: Float[Array, "D D3"]
    position: Float[Array, "heads K"]
    gate: Float[Array, "D2 D"]
    gate_bias: Float[Array, " D"]
    out: Float[Array, "D D"]
    heads: int = eqx.field(static=True)

    def __init__(self, inputs: int, context: int, *, heads: int = 4, key: Key[Array, ""]):
        """Make a core for `inputs` numbers that looks back on `context` steps."""
        k_project, k_gate, k_out = jr.split(key, 3)
        self.heads = heads if inputs % heads == 0 else 1
        self.project = stacked_orthogonal(k_project, inputs, inputs, 3)
        self.position = jnp.zeros((self.heads, context))
        self.gate = jax.nn.initializers.orthogonal()(k_gate, (2 * inputs, inputs))
        self.gate_bias = jnp.full(inputs, -2.0)
        self.out = jax.nn.initializers.orthogonal()(k_out, (inputs, inputs))

    def initial(self) -> Window:
        """Return an empty window."""
        return jnp.zeros((self.position.shape[1], self.gate_bias.size)), jnp.int32(0)

    def __call__(self, x: Float[Array, " D"], memory: Window) -> tuple[Float[Array, " D"], Window]:
        """Return (output, (the last K inputs, their number))."""
        window, count = memory
        context = window.shape[0]
        window, count = jnp.concatenate([window[1:], x[None]]), jnp.minimum(count + 1, context)
        q, k, v = x @ self.project[:, : x.size], *jnp.split(window @ self.project[:, x.size :], 2, axis=1)
        distance = jnp.arange(context - 1, -1, -1, dtype=jnp.int32)
        there = distance < count
        return self._answer(x[None], q[None], k, v, there[None], self.position[:, None])[0], (window, count)

    def unroll(
        self, x: Float[Array, "T D"], begins: Bool[Array, " T"], memory: Window
    ) -> tuple[Float[Array, "T D"], tuple[Float[Array, "T K D"], Int[Array, " T"]]]:
        """Return (outputs, the memory after each row): keys and values of each input are computed once."""
        (window, count), context, steps = memory, memory[0].shape[0], len(x)
        # Row t sees the columns t + 1 … t + K of the inputs so far, of which it is the last.
        inputs = jnp.concatenate([window, x])
        age = _counts(begins, jnp.where(begins[0], 0, count))  # inputs of this episode up to each row, its own included
        time, back = jnp.arange(steps, dtype=jnp.int32)[:, None], jnp.arange(context, dtype=jnp.int32)[None]
        distance = time + context - jnp.arange(context + steps, dtype=jnp.int32)[None]
        there = (distance >= 0) & (distance < jnp.minimum(age, context)[:, None])
        q, (k, v) = x @ self.project[:, : x.shape[1]], jnp.split(inputs @ self.project[:, x.shape[1] :], 2, axis=1)
        position = self.position[:, jnp.clip(context - 1 - distance, 0, context - 1)]
        y = self._answer(x, q, k, v, there, position)
        there = (context - 1 - back < age[:, None])[:, :, None]
        return y, (jnp.where(there, inputs[time + 1 + back], 0), jnp.minimum(age, context))

    def _answer(
        self,
        x: Float[Array, "Q D"],
        q: Float[Array, "Q D"],
        k: Float[Array, "J D"],
        v: Float[Array, "J D"],
        there: Bool[Array, "Q J"],
        position: Float[Array, "heads Q J"],
    ) -> Float[Array, "Q D"]:
        """Compute the output of queries that see inputs J where `there` says so."""
        width = x.shape[1] // self.heads
        split = lambda rows: rows.reshape(len(rows), self.heads, width).transpose(1, 0, 2)
        scores = split(q) @ split(k).transpose(0, 2, 1) / width**0.5 + position
        share = jax.nn.softmax(jnp.where(there[None], scores, FAR), axis=-1)
        y = (share @ split(v)).transpose(1, 0, 2).reshape(x.shape)
        gate = jax.nn.sigmoid(jnp.concatenate([x, y], axis=1) @ self.gate + self.gate_bias[None])
        return x + gate * (jnp.tanh(y @ self.out) - x)


def _counts(begins: Bool[Array, " T"], before: Int[Array, ""]) -> Int[Array, " T"]:
    """Count the rows of each row's episode up to it, those `before` the first row included."""
    time = jnp.arange(1, len(begins) + 1, dtype=jnp.int32)
    start = jax.lax.cummax(jnp.where(begins, time - 1, -1))
    return jnp.where(start >= 0, time - start, time + before)
