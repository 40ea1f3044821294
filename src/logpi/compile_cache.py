"""Compiled programs kept between processes."""

import os
from pathlib import Path

import jax


def use_persistent_cache() -> None:
    """Keep compiled programs in the user's cache, unless a cache has been chosen already."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        jax.config.update("jax_compilation_cache_dir", str(Path(home) / "logpi" / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
