"""Zeroth-order policy gradients: θ is perturbed, and ĝ is estimated from returns alone.

Enters: a policy with parameters θ [P], and the returns of a population of N perturbed policies, one per environment.
Leaves: ĝ [P] with its variance, and the step that any `Update` takes along it.

Read first: `ZerothOrder` (the algorithm), `Estimator` (the contract of an estimator of ∇U), `EvolutionStrategies`.

- population: N policies, one per environment, that act at the same time.
- displacement Δ: what is added to θ; direction ε: a displacement of unit scale, E[εεᵀ] = I, so that Δ = σε.
- side: `plus` and `minus` are the members whose returns are subtracted for one direction; their distance is
  `separation` · Δ: 2Δ for central differences, Δ for forward differences.
- U(θ): expected discounted return; fitness F: the return, or its rank, that weighs a direction.
- M directions, K episodes per member, P parameters, N members.
"""
