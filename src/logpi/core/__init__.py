"""Shared tools that know nothing of reinforcement learning beyond words such as episode and seed.

In: PyTrees, functions over them, seeds. Out: the same, compiled, scanned, mapped or described.

Read first: `collection` (how much one iteration collects), `compilation` (programs compiled ahead of time), `trees`.

- tree: nested dicts, tuples, lists and modules; leaves are arrays or static values such as functions.
- progress: steps taken / steps of the run, in [0, 1]; schedules are functions of it.
- learners: the two devices that update actor and critic at the same time.
"""
