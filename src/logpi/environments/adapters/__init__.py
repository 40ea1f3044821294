"""Adapters: environments of other libraries behind logpi's environment protocols.

In: an environment of Gymnasium, EnvPool, gymnax, Brax or MuJoCo Playground, or its name in that library.
Out: a `HostEnvironment` (gymnasium, vector, envpool) or one environment in JAX (gymnax, brax, playground).

Read first: `gymnasium`, the adapter for environments that are stepped one after the other; then `vector`, for
Gymnasium's vector environments, and `gymnax`, for environments in JAX.

Glossary. Native action: the action as the library takes it. Autoreset: a vector environment's own way to reset.
"""
