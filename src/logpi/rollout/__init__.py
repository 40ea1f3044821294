"""Rollouts: from a behavior policy and an environment to trajectories."""
