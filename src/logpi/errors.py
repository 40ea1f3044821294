"""What goes wrong by the user's hand, said in one line."""


class LogpiError(ValueError):
    """Bad input: what was given, what is allowed, what to do. The command line prints it and exits with `status`."""

    status = 2


class NothingLearned(LogpiError):
    """A run that was ended because none of its updates could be made; the command line exits with status 4."""

    status = 4


class NoCheckpoint(LogpiError):
    """A run's directory in which no checkpoint is left that could be read; the command line exits with status 3."""

    status = 3


class EnvironmentFailed(LogpiError):
    """An environment that raised, hung or died; the command line shows `trace`, if any, and exits with status 5."""

    status = 5

    def __init__(self, line: str, trace: str = ""):
        """The line, and the traceback of what the environment raised."""
        LogpiError.__init__(self, line)
        self.trace = trace
