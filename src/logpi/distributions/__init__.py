"""Distributions over actions: `noise, push, sample, log_prob, entropy, kl, mode`."""
