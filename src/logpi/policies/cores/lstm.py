"""Long short-term memory."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Bool, Float, Key

from logpi.policies.cores.initialization import stacked_orthogonal
from logpi.policies.memory import reset_memory

State = tuple[Float[Array, " H"], Float[Array, " H"]]


class LSTM(eqx.Module):
    """Long short-term memory, whose memory is (h, c), both [H]:

        i, f, o = σ(W x + U h + b),  g = tanh(W_g x + U_g h + b_g),  c' = f c + i g,  h' = o tanh c',

    and whose output is h'.

    - `inputs`, `size`: lengths of x and of h.

    Weights are orthogonal for each gate; biases are zero, but 1 for f, so that a new core remembers (Gers, Schmidhuber
    and Cummins 2000; Jozefowicz et al. 2015). Source: Hochreiter and Schmidhuber 1997; Gers et al. for f.
    """

    input_weight: Float[Array, "I H4"]
    weight: Float[Array, "H H4"]
    bias: Float[Array, " H4"]

    def __init__(self, inputs: int, size: int, *, key: Key[Array, ""]):
        """Make a core of `size` units for `inputs` numbers."""
        k_input, k_memory = jr.split(key)
        self.input_weight = stacked_orthogonal(k_input, inputs, size, 4)
        self.weight = stacked_orthogonal(k_memory, size, size, 4)
        self.bias = jnp.concatenate([jnp.zeros(size), jnp.ones(size), jnp.zeros(2 * size)])

    def initial(self) -> State:
        """Return zeros."""
        zeros = jnp.zeros(self.weight.shape[0])
        return zeros, zeros

    def __call__(self, x: Float[Array, " I"], memory: State) -> tuple[Float[Array, " H"], State]:
        """Return (h', (h', c'))."""
        after = self._step(x @ self.input_weight + self.bias, memory)
        return after[0], after

    def unroll(
        self, x: Float[Array, "T I"], begins: Bool[Array, " T"], memory: State
    ) -> tuple[Float[Array, "T H"], tuple[Float[Array, "T H"], Float[Array, "T H"]]]:
        """Return (h after each row, (h, c) after each row): the inputs of all rows are multiplied at once."""

        def step(state: State, row: tuple[Array, Array]) -> tuple[State, State]:
            state = self._step(row[0], reset_memory(self, row[1], state))
            return state, state

        after = lax.scan(step, memory, (x @ self.input_weight + self.bias[None], begins))[1]
        return after[0], after

    def _step(self, seen: Float[Array, " H4"], state: State) -> State:
        """Compute (h', c') from W x + b and (h, c)."""
        h, c = state
        sums = seen + h @ self.weight
        i, f, o = jax.nn.sigmoid(sums[: 3 * h.size]).reshape(3, -1)
        c = f * c + i * jnp.tanh(sums[3 * h.size :])
        return o * jnp.tanh(c), c
