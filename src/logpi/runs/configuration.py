"""run.json: all that a run was started with."""

import platform
import time
from importlib import metadata
from typing import Any

PACKAGES = ("logpi", "jax", "jaxlib", "equinox", "optax", "gymnasium", "numpy")


def configuration(
    environment: str, algorithm: str, seed: int, steps: int, settings: dict[str, Any], description: str
) -> dict[str, Any]:
    """The complete configuration of a run, as JSON can say it."""
    return {
        "environment": environment,
        "algorithm": algorithm,
        "seed": seed,
        "steps": steps,
        "settings": settings,
        "description": description.splitlines(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    }
