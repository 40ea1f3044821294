"""Import of the modules that a user names; whatever they raise becomes one line."""

import importlib
import traceback
from types import ModuleType
from typing import Any

from logpi.errors import FAILURES, LogpiError, reason_of


def import_module(module: str, wanted_by: str) -> ModuleType:
    """Import a module. Raises LogpiError where there is none, and with its own error and line where it raises.

    - `wanted_by`: what names the module, for the message.
    """
    try:
        return importlib.import_module(module)
    except LogpiError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise LogpiError(f"{wanted_by}: {error}; run where `python -c 'import {module}'` works") from None
        raise _own_error(module, wanted_by, error) from error
    except FAILURES as error:
        raise _own_error(module, wanted_by, error) from error


def load_attribute(place: str) -> Any:
    """Import what "module:attribute" names. Raises LogpiError where there is no such module or attribute."""
    module, _, attribute = place.partition(":")
    found = import_module(module, f"environment {place}")
    try:
        return getattr(found, attribute)
    except AttributeError:
        raise LogpiError(f"environment {place}: module {module} has no {attribute}") from None


def _own_error(module: str, wanted_by: str, error: BaseException) -> LogpiError:
    """Describe what a module raised while it was imported, with the line that raised it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")][1:]
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own and not isinstance(error, SyntaxError) else ""
    reason = reason_of(error)
    return LogpiError(f"{wanted_by}: import of {module} raised {type(error).__name__}: {reason}{place}")
