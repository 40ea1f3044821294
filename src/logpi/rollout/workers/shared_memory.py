"""Arrays that several processes see: a tree of them in one block of anonymous memory. Needs no JAX.

The memory has no name anywhere: when the last process that maps it has ended, it is gone, however that process ended.
"""

import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.numpy_trees import tree_map

LINE = 64  # bytes: arrays begin where a cache line does


@dataclass(frozen=True)
class Place:
    """Where an array lies in the block."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


def layout(tree: Any) -> tuple[Any, int]:
    """(the place of each array of the tree, how many bytes they take together)."""
    end = 0

    def after(x: np.ndarray) -> Place:
        nonlocal end
        place = Place(end, x.shape, x.dtype.str)
        end += -(-max(x.nbytes, 1) // LINE) * LINE
        return place

    return tree_map(after, tree), end


def allocate(size: int) -> int:
    """A file descriptor of so many zero bytes, which no name leads to."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("logpi")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def views(descriptor: int, tree: Any) -> Any:
    """The arrays at these places, in memory shared with whoever else maps the descriptor; it may then be closed."""
    block = mmap.mmap(descriptor, 0)
    return tree_map(lambda p: np.ndarray(p.shape, np.dtype(p.dtype), block, p.offset), tree)
