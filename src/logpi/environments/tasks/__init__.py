"""Tasks: environments that logpi implements in JAX, as dynamics without time limit or reset (`SingleEnvironment`).

In: a key and an action. Out: state, observation, reward, and whether the MDP ended.

Read first: `cartpole`, the shortest; then `tabular` and `partially_observed`, any finite MDP or POMDP as a task,
and `probe`, one- and two-step tasks that each show one kind of fault in a learner.

Glossary. φ: the pole's or pendulum's angle, 0 upright. Horizon: the step after which an MDP ends by itself.
"""
