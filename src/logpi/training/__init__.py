"""Training: from an environment, an algorithm and a budget to a run on disk; and from a checkpoint on.

Enters: what a user names (environment, recipe or algorithm, steps, seed). Leaves: a `Run`, and its directory.
Read first: `train.train` and `train.resume`; `plan.Plan`, all that is decided before the first step; `driver.Driver`,
the alternation of training, evaluation and recording. `sweep` and `many_runs` train many runs as one program.

- plan: environment, networks, settings and budget of a run; it also says when evaluations are due.
- evaluation queue: metric rows that wait for an evaluation that worker processes make while training goes on.
- interrupts: SIGINT and SIGTERM as requests to stop between two iterations, after which the run is saved.
- reporter: what a person sees on the terminal.
"""
