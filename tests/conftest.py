"""What every test runs under: strict shapes, strict dtypes, a compile cache that lasts."""

import os
import tempfile
from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
_cache = os.environ.get("LOGPI_TEST_CACHE", str(Path(tempfile.gettempdir()) / f"logpi-test-cache-{os.getuid()}"))
jax.config.update("jax_compilation_cache_dir", _cache)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture
def key():
    """A fixed key to split from."""
    return jax.random.key(20)
