"""Policy gradients for reinforcement learning: every method a choice of a few small, proved parts.

The public names are listed in `__init__.pyi`, one per line, and loaded when they are first used: a process that only
steps environments never imports JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
