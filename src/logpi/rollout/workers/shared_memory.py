"""Trees of arrays in one block of anonymous shared memory. Needs no JAX.

The memory has no name in the file system: the system frees it when the last process that maps it ends, however it ends.
"""

import mmap
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from logpi.core.numpy_trees import tree_map

CACHE_LINE = 64  # bytes; arrays are aligned to cache lines


@dataclass(frozen=True)
class Place:
    """Offset (bytes), shape and dtype of an array in the block."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


def layout(tree: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Lay out a tree of arrays in one block: (the place of each array, size of the block in bytes)."""
    end = 0

    def append(x: np.ndarray) -> Place:
        nonlocal end
        place = Place(end, x.shape, x.dtype.str)
        end += -(-max(x.nbytes, 1) // CACHE_LINE) * CACHE_LINE
        return place

    return tree_map(append, tree), end


def allocate(size: int) -> int:
    """Allocate `size` zero bytes of anonymous memory; returns their file descriptor."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("logpi")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def views(descriptor: int, tree: dict[str, Any]) -> dict[str, Any]:
    """Map the arrays of a layout into memory that all processes with the descriptor share; it may then be closed."""
    block = mmap.mmap(descriptor, 0)
    return tree_map(lambda p: np.ndarray(p.shape, np.dtype(p.dtype), block, p.offset), tree)
