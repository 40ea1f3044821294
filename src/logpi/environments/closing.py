"""The end of an environment, which must not take a result with it."""

import warnings
from typing import Any

from logpi.errors import FAILURES, reason_of


def close_environment(env: Any, name: str) -> bool:
    """Close an environment; what its `close` raises is said as a warning: True if it raised nothing."""
    try:
        env.close()
    except FAILURES as error:
        reason = reason_of(error)
        warnings.warn(
            f"environment {name}: its close raised {type(error).__name__}: {reason}; the result is kept", stacklevel=2
        )
        return False
    return True
