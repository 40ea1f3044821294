"""Environments, compiled with the learner (JAX) or stepped on the host (Python, C++).

In: a name such as `CartPole-v1` or `gymnax:CartPole-v1`, a factory, or an environment of the user's.
Out: N copies of it that answer N actions with one `Step`; ends, time limits and resets are the same everywhere.

Read first: `protocol` (what an environment offers), `registry.make` (from a name to environments), and
`adapters.gymnasium` (the host adapter that most tasks use).

Glossary. Backend: the environments behind one name prefix. Copy: one of the N environments. Terminated: the MDP ended.
Truncated: a time limit ended the episode. Idle copy: one that is not stepped now. Valid row: a real transition.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
