"""Learning from stored trajectories, without stepping an environment.

In: a dataset in Minari's format, or another policy's episodes. Out: a `Trajectory` of whole episodes, one per column;
from it a learner's state, or a cloned policy.

Read first: `learn.learn_offline`, `minari.read_minari`, `demonstrations.collect_episodes`.

- demonstration: an episode of another policy.
- μ: the policy that acted; log μ(a|s) is unknown (NaN) in datasets.
- cloning: maximum likelihood of the demonstrated actions.
"""
