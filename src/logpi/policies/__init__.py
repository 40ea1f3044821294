"""Policies and critics: the networks θ and φ, as PyTrees that are functions of one raw observation.

Enters: Gymnasium spaces and a key (`mlp_policy`, `mlp_critic`, `cnn_policy` …). Leaves: modules π: obs ↦ Distribution,
V: obs ↦ scalar, Q: (obs, action) ↦ scalar. Running statistics are carried in `Frozen` and never trained.

Read first: `policy.Policy` (encoder → network → head), `critic.Critic`, `behavior.Behavior` (μ, all environments at
once), `evaluate` (the one place where a network is mapped over rows [T, N] or [B]).

Glossary: encoder, raw observation ↦ vector (and images); head, vector ↦ distribution; mask, the actions that are legal;
μ, the behavior policy; population, one θ per environment; σ, the running standard deviation of returns.
"""
