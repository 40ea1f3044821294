"""What goes wrong by the user's hand, said in one line."""


class LogpiError(ValueError):
    """Bad input: what was given, what is allowed, what to do. The command line prints it and exits with `status`."""

    status = 2


class NoCheckpoint(LogpiError):
    """A run's directory in which no checkpoint is left that could be read; the command line exits with status 3."""

    status = 3
