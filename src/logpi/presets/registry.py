"""The registry of methods: presets by name, logpi's own and those of other packages."""

import difflib
import functools
from collections.abc import Callable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Any

from logpi.errors import LogpiError, shown
from logpi.presets.a2c import a2c
from logpi.presets.ars import ars
from logpi.presets.cloning import cloning
from logpi.presets.evolution import evolution
from logpi.presets.finite_difference import finite_difference
from logpi.presets.npg import npg
from logpi.presets.off_policy import off_policy
from logpi.presets.ppo import ppo
from logpi.presets.ppo_kl import ppo_kl
from logpi.presets.q_actor_critic import q_actor_critic
from logpi.presets.recipe import Preset
from logpi.presets.regression import regression
from logpi.presets.reinforce import reinforce
from logpi.presets.trpo import trpo
from logpi.presets.vpg import vpg

ENTRY_POINTS = "logpi.algorithms"

_presets: dict[str, Preset] = {}


def register(preset: Preset | Callable[..., Any]) -> Preset:
    """Make a preset known by its name to the command line, `resume`, `load` and `evaluate`; returns the preset.

    A package registers its presets without being imported first, by entry points whose name is the preset's:

        [project.entry-points."logpi.algorithms"]
        my-method = "my_package.my_module:my_method"

    Raises LogpiError for a name that another preset has.
    """
    if not isinstance(preset, Preset):
        raise LogpiError(f"{preset!r} is no preset; allowed: a function of options under @logpi.presets.preset()")
    if _presets.setdefault(preset.name, preset) is not preset:
        raise LogpiError(f"algorithm {preset.name} is registered already; give the function another name")
    return preset


for _preset in (
    reinforce,
    vpg,
    a2c,
    npg,
    trpo,
    ppo,
    ppo_kl,
    off_policy,
    q_actor_critic,
    finite_difference,
    regression,
    evolution,
    ars,
    cloning,
):
    register(_preset)

ALGORITHMS: Mapping[str, Preset] = MappingProxyType(dict(_presets))
"""The presets that logpi brings, by name."""


def canonical(name: str) -> str:
    """Return an algorithm's name as presets have it: small letters, hyphens."""
    return name.lower().replace("_", "-")


def algorithms() -> dict[str, Preset]:
    """Return every preset by name: logpi's own, then registered ones and those of installed packages."""
    for name in _entry_points():
        find_algorithm(name)
    return dict(_presets)


def find_algorithm(name: str) -> Preset:
    """Return the preset of that name; raises LogpiError, listing the names there are, for an unknown one.

    Entry points are read only for a name that is not registered, so that other packages cost nothing until used.
    Capitals and underscores do not matter: "PPO" is ppo, "ppo_kl" is ppo-kl.
    """
    if (known := name if name in _presets else canonical(name)) in _presets:
        return _presets[known]
    if name not in _entry_points():
        name = canonical(name) if canonical(name) in _entry_points() else name
    if name not in _entry_points():
        every = [*_presets, *_entry_points()]
        near = difflib.get_close_matches(canonical(name), every, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        raise LogpiError(f"unknown algorithm {shown(name)}; {meant}allowed: {', '.join(every)}")
    entry = _entry_points()[name]
    try:
        preset = register(entry.load())
    except (ImportError, AttributeError) as error:
        raise LogpiError(f"algorithm {name}: {entry.value} cannot be imported: {error}") from None
    if preset.name != name:
        raise LogpiError(f"algorithm {name}: {entry.value} is named {preset.name}; the entry point must be, too")
    return preset


@functools.cache
def _entry_points() -> dict[str, metadata.EntryPoint]:
    """Entry points of installed packages by name; logpi's own names cannot be replaced."""
    return {entry.name: entry for entry in metadata.entry_points(group=ENTRY_POINTS) if entry.name not in ALGORITHMS}
