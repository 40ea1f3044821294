"""Policies and critics: what θ and φ are."""
