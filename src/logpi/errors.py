"""Exceptions for what a user can put right; the command line prints each as one line and exits with its status."""

LONGEST_VALUE = 200  # characters


class LogpiError(ValueError):
    """Invalid input. The message is one line: what was given, what is allowed, what to do. Exit status 2."""

    status = 2

    def __init__(self, line: str):
        """Keep the message as one line that can be printed: names in it may come from anyone's files."""
        super().__init__(printable(line))


def printable(text: str) -> str:
    """Return text on one line: line breaks become spaces, other characters that are not printable are escaped."""
    if text.isprintable():
        return text
    escape = lambda c: " " if c.isspace() else c.encode("unicode_escape").decode()
    return "".join(c if c.isprintable() else escape(c) for c in text)


def reason_of(error: BaseException) -> str:
    """Return the message of an exception on one line, for the message of another one."""
    return " ".join(str(error).split())


def shown(value: object) -> str:
    """Return a value as a message shows it: cut off where it is long."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes, or lists in lists in lists
        return f"a value of type {type(value).__name__} that is too long to write"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


class NothingLearned(LogpiError):
    """A run that ended because none of its updates could be applied. Exit status 4."""

    status = 4


class NoCheckpoint(LogpiError):
    """A run directory without a readable checkpoint. Exit status 3."""

    status = 3


class EpisodeOutlasts(LogpiError):
    """An episode that goes on after the time limit that its environment states. Exit status 2 where it is not met."""


FAILURES = (Exception, SystemExit)
"""Exceptions that an environment may raise: `sys.exit` in it ends the environment, not the training."""


class EnvironmentFailed(LogpiError):
    """An environment that raised, hung or died. Exit status 5; the command line prints `trace` first."""

    status = 5

    def __init__(self, line: str, trace: str = ""):
        """Keep the message, and the traceback of what the environment raised, if it did."""
        LogpiError.__init__(self, line)
        self.trace = trace
