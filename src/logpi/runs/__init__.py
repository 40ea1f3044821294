"""A run on disk: its configuration, metrics and checkpoints."""
