"""Worker processes that step host environments and act, without JAX.

Enters: an environment whose copies can be made in other processes, and a policy as a NumPy `Program`. Leaves: rollouts,
written into shared memory. The number of workers changes no bit.

Read first: `pool.WorkerPool` (the rollout backend, in the process that learns), `worker.Worker` (the other side),
`config.Workers` (settings).

Glossary: shard, the environments of one worker; setup, the policy and the places of the arrays; heartbeat, a worker's
step counter in shared memory; lifeline, a socket whose closing ends the worker.
"""
