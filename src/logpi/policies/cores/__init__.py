"""Memory cores: the recurrent part of networks that remember, (x, h) ↦ (y, h').

Enters: features x of one observation, and the memory h of those before it. Leaves: y, and the next memory h'.
Read first: `logpi.policies.memory.RecurrentNetwork`, the contract; then `gru.GRU`.

- gate: a number in (0, 1) for each unit that says how much of it is replaced.
- unroll: the evaluation of many rows in one call; a core's own is faster than one row after the other.
"""

from logpi.policies.cores.attention import GatedAttention as GatedAttention
from logpi.policies.cores.gru import GRU as GRU
from logpi.policies.cores.lstm import LSTM as LSTM
from logpi.policies.cores.mingru import MinGRU as MinGRU
