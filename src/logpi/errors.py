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
