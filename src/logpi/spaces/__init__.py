"""Gymnasium spaces: the only code that walks their structure.

In: a `gymnasium.Space`. Out: functions of arrays shaped like the space, its JSON form, and maps of actions.

Read first: `tree` (leaves, buffers and rows of nested spaces), then `actions` (from a policy's actions to the
environment's), then `serialize` (spaces in run.json).

Glossary. Leaf: a Box, Discrete, MultiDiscrete or MultiBinary space inside Dict and Tuple spaces. Buffer dtype: the
dtype that a leaf is stored in, the space's own with 64 bits as 32. Policy's action: whole numbers from 0; −1 … 1 spans
a box. Native action: the environment's own, within its bounds.
"""
