"""The memory cores by name, as options choose them."""

from collections.abc import Callable

from jaxtyping import Array, Key

from logpi.policies.cores.attention import GatedAttention
from logpi.policies.cores.gru import GRU
from logpi.policies.cores.lstm import LSTM
from logpi.policies.cores.mingru import MinGRU
from logpi.policies.memory import RecurrentNetwork

CORES = {"gru": GRU, "lstm": LSTM, "mingru": MinGRU}
ATTENTION = "attention"


def core_factory(name: str, size: int, context: int) -> Callable[[int, Key[Array, ""]], RecurrentNetwork]:
    """Return the function (number of inputs, key) ↦ core.

    - `name`: "gru", "lstm", "mingru" or "attention".
    - `size`: number of units; attention has as many as inputs.
    - `context`: number of steps that attention looks back on.
    """
    if name == ATTENTION:
        return lambda inputs, key: GatedAttention(inputs, context, key=key)
    core = CORES[name]
    return lambda inputs, key: core(inputs, size, key=key)
