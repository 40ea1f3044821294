"""Updates: one improvement of an objective, (objective, θ, batch, opt, key) → (θ′, opt′, metrics).

Enters: an `Objective`, the parameters, a `Batch`. Leaves: new parameters, the update's own state `opt`, scalar metrics.
θ is one flat vector inside (`logpi.types.ravel`); what is not learned (`Frozen`) stays as it is. A gradient that is not
finite leaves θ unchanged and is counted in `skipped_updates`.

Read first: `protocol.Update` (the contract), `ascent.Ascent` (Optax), `natural.NaturalGradient`,
`trust_region.TrustRegion` (TRPO).

Glossary: F, the Fisher matrix of the policy; g, the gradient ∇J(θ); δ (`max_kl`), the bound on the mean KL(π_old‖π) in
nats; damping, the multiple of the identity added to F; epoch, one pass over the batch.
"""
