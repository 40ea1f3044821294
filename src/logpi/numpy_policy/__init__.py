"""numpy_policy."""
