"""Wrappers: environments around another one that change its rewards or its observations.

In: a Gymnasium environment, a vector environment, or one environment in JAX. Out: one of the same kind.

Read first: `reward_shaping` (potential-based shaping, in JAX and for Gymnasium), then `action_masks` (the mask in
`info` becomes part of the observation) and `hidden_entries` (N environments, of which less is seen).

Glossary. Potential: Φ(s), whose differences are added to the rewards. Action mask: 1 for each legal action, else 0.
"""
