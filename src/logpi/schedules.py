"""Hyper-parameters that change as training goes on."""

from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import PyTree


@dataclass(frozen=True)
class Linear:
    """A straight line from `start` to `end` over the run: start + (end − start) · progress."""

    start: float
    end: float

    def at(self, progress: Any) -> Any:
        """The value when a share `progress` ∈ [0, 1] of the steps has been taken."""
        return self.start + (self.end - self.start) * progress


def resolve(tree: PyTree, progress: Any) -> PyTree:
    """The same tree with every schedule in it replaced by its value at `progress`."""
    return jax.tree.map(
        lambda leaf: leaf.at(progress) if isinstance(leaf, Linear) else leaf,
        tree,
        is_leaf=lambda leaf: isinstance(leaf, Linear),
    )
