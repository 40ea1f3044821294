"""Zeroth-order policy gradients: θ is perturbed, and ĝ comes from returns alone."""
