"""Distributions π(·|s) over actions.

In: parameters that a policy's head computes (logits, mean and log σ), batched over leading axes. Out: actions,
log π(a), entropy and KL divergence, all per row.

Read first: `protocol.Distribution` (the contract), `gaussian.Gaussian`, `product.Product` (composite actions).

- noise, push: sample = push ∘ noise. Noise depends on shapes alone; push is deterministic.
- action: always the one sampled, before squashing or clipping; `to_env` gives the one sent to the environment.
- p.kl(q): KL(p‖q), in nats.
- numpy_sampler: text of the NumPy calls that draw the noise, for exported policies.
"""
