"""Evaluation of policies: whole episodes, and statistics of scores over seeds.

In: a policy and an environment that training does not use. Out: undiscounted returns and lengths of episodes, their
mean and confidence interval.

Read first: `evaluate.evaluate`, `statistics.bootstrap_interval`.

- return: Σ_t r_t of one episode, undiscounted, raw rewards.
- greedy: the mode of π(·|s) instead of a sample; the default in evaluation.
- score: the mean return of one run (one seed); IQM: interquartile mean of scores.
"""
