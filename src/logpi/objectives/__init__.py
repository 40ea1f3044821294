"""Objectives: scalars J(θ; batch), to be maximized, whose gradient at θ_old is the policy gradient.

Enters: `Outputs` (π, V or Q at the rows of a batch) and the `Batch` itself. Leaves: J, and metrics (`info`).
Objectives add and scale: `Clipped(0.2) + 0.01 * entropy`. One formula, one file.

Read first: `base.Objective` (the contract; `base.ObjectiveWrapper` is for objectives around another one),
`outputs.Outputs` (answers of the networks), `score.Score` (the gradient itself), `clipped.Clipped` (PPO).

Glossary: Φ, the credit of an action (`Batch.credit`); ρ = π_θ(a|s) / μ(a|s), the probability ratio; w, an importance
weight made of ratios; scale, the number that sums over rows are divided by (`Batch.scale`); sampling unit, the smallest
piece that may be shuffled into minibatches: a row ("step") or a whole column ("trajectory").
"""
