"""The command line: `logpi …`."""
