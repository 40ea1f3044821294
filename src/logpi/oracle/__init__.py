"""Exact answers on small problems, against which every estimator is tested.

In: a finite MDP or POMDP or a linear-quadratic regulator, and a policy. Out: utility U, its gradient, V, Q, occupancy,
the Fisher matrix, an optimal policy, and the list of all trajectories with their probabilities.

Read first: `mdp.MDP`, `solve` (V, Q, U, occupancy), `gradient` (∇U and Fisher); `pomdp.POMDP`, `histories`.

- U: expected discounted return from the initial distribution ρ0.
- occupancy d(s): Σ_t γ^t P(s_t = s), not normalized.
- history h: the observations o_0 … o_t of a POMDP, all that a policy with memory can know. Belief: P(s_t | …).
- time_augmented: the MDP with time in its state, so that a finite horizon has a stationary optimal policy.
"""
