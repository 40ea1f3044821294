"""Rollouts: from a behavior policy μ and an environment to trajectories τ.

Enters: μ (`Behavior`), an environment, the amount of experience (`Steps` or `Episodes`), a random key or a seed.
Leaves: τ (`Trajectory`), or on the host its fields; statistics of episodes; snapshots of unfinished episodes.
Environments in JAX are stepped inside a compiled program, all others by NumPy actors, in this process or in workers;
both give the same trajectories for the same key.

Read first: `device.rollout` (JAX), `host.HostRollout` (host), `play_episodes.EpisodePlayer` (whole episodes on both).

Glossary: window, T steps of all N environments, in which episodes go on from the window before; noise, all random
numbers of a rollout's actions, drawn before it; draws, the leaves of the noise; block, rows that an actor evaluates
together; store, how a host rollout writes observations; env_action, the action that the environment receives.
"""
