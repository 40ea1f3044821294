"""The command line, `logpi train | resume | evaluate | export | lab | algorithms | envs`.

In: the words typed after `logpi`.
Out: one command's effect, answers on standard output, all else on standard error, and an exit status.

Read first: `main` (a function for each command), then `parser` (the grammar; options come from presets), then `lab`.

Glossary. Option: `--name value`. Preset: a named algorithm with defaults. Run directory: where `train` writes a run.
Exit status: 0 done, 2 bad input, 3 no checkpoint, 4 nothing learned, 5 environment failed.
"""
