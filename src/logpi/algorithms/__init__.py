"""Algorithms: the contract, the policy-gradient composition, and wrappers around an algorithm.

Enters: the learner's state, the behavior policy μ and trajectories τ. Leaves: the new state and scalar metrics.

Read first: `protocol.Algorithm` (the contract), `policy_gradient.PolicyGradient`, `protocol.AlgorithmWrapper`.
`ZerothOrder`, the other algorithm, is in `logpi.perturbation`; presets, one per method, are in `logpi.presets`.

- behavior policy μ: the policy whose actions are taken; π_θ itself, an expert, or a population of perturbed policies.
- credit Φ: what each action is weighted by in the gradient, such as the advantage.
- fit: the update of the critic; separate, or `"joint"` with the policy's.
- wrapper: an algorithm around another one: `GradientNoiseMeter`, `Replay`, `ActsAsExpert`.
"""
