"""The memory that a run needs and does not get, said in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from logpi.errors import LogpiError


@contextmanager
def memory_errors_in_one_line() -> Iterator[None]:
    """Raise LogpiError, naming the options that decide, where NumPy, JAX or an environment runs out of memory."""
    try:
        yield
    except MemoryError as error:
        raise LogpiError(_line(error)) from error
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise LogpiError(_line(error)) from error


def _line(error: Exception) -> str:
    reason = str(error).partition("\n")[0] or "the system gives no more"
    return f"out of memory ({reason}): a smaller num_envs, num_steps or hidden needs less"
