"""Rollouts: from a behaviour policy and an environment to trajectories."""
