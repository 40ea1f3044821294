"""A run on disk: its configuration, metrics and checkpoints.

In: each iteration's metrics, and the state of the run (networks, optimizers, environments) whenever it may be saved.
Out: a run directory with run.json, metrics.jsonl, summary.json, checkpoints/, curve.png and TensorBoard events; and a
`Run` read from one.

Read first: `recorder` (what is written after each iteration, in which order), `checkpoint` (one of them on disk), and
`migrations` (directories of earlier versions).

Glossary. Row: the metrics of one iteration. Resume state: all that a run needs to continue. Manifest: description and
digests of a checkpoint's arrays. Schema: number of the layout and names in these files. Progress: counts so far.
"""
