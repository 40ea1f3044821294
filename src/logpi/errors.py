"""What goes wrong by the user's hand, said in one line."""


class LogpiError(ValueError):
    """Bad input: what was given, what is allowed, what to do. The command line prints it and exits with status 2."""
