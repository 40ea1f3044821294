"""Presets: one method of the literature per file, with its options, their defaults and tuned settings.

In: options by name, from Python or as text, and then the spaces of an environment.
Out: a `Recipe`, which builds the algorithm and its networks once the environment is known.

Read first: `ppo` (a method as its paper defines it), `recipe` (from options to an algorithm), `options` (declarations).

Glossary. Preset: a named method, called with options. Recipe: a preset with the options given. Option: the declaration
of one option: its meaning, allowed values and how text is read. Tuned settings: values for one task, in tuned.toml; an
option given by the user replaces them. Registry: presets by name; `register` and the entry points `logpi.algorithms`
add to it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
