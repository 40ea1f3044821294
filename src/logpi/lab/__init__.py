"""The laboratory: bias, variance and cost of every estimator of ∇J, measured on the same batches.

In: a task, a policy, names of estimators and baselines. Out: one `Measurement` per pair, as a table, CSV or figure.

Read first: `measure.measure`, `problem.Problem` (task, policies, critics, oracle), `estimators.ESTIMATORS`.

- estimator: a credit, an objective, and the policy that collects its episodes; ĝ is its gradient on one batch.
- baseline: a function b subtracted from credit; a rule gives the exact mean of ĝ with it.
- m, M: episodes per batch, and number of batches.
- exact: computed from the oracle or from a list of all episodes, without sampling.
"""
