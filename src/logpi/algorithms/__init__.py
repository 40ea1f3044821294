"""Algorithms: the composition, and one preset per method."""
