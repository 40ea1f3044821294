"""Packages that ids in Gymnasium's registry need, so that a missing one is said before an environment is made."""

from importlib.util import find_spec

from gymnasium.envs.registration import EnvSpec

# By the module of the id's entry point: (the package it imports, how to install it).
PACKAGES = {
    "gymnasium.envs.box2d": ("Box2D", "the extra box2d: pip install 'logpi[box2d]'"),
    "gymnasium.envs.mujoco": ("mujoco", "the extra mujoco: pip install 'logpi[mujoco]'"),
    "gymnasium.envs.phys2d": ("flax", "the package flax: pip install flax"),
    "gymnasium.envs.tabular": ("flax", "the package flax: pip install flax"),
    "shimmy": ("shimmy", "the package shimmy: pip install shimmy"),
}
# Ids that Gymnasium only keeps to say where they went: their entry point is a function that raises.
REMOVED = {
    "_raise_mujoco_py_error": ("gymnasium_robotics", "the package gymnasium-robotics, or {newest} instead"),
    "_raise_shimmy_error": ("shimmy", "the package shimmy: pip install shimmy"),
}


def missing_package(spec: EnvSpec) -> str | None:
    """Say what has to be installed before an environment of this specification can be made; None if nothing has."""
    entry = spec.entry_point
    if callable(entry):
        package, install = REMOVED.get(getattr(entry, "__name__", ""), (None, ""))
        return install.format(newest=f"{spec.name}-v5") if package is not None else None
    for module, (package, install) in PACKAGES.items():
        if entry is not None and entry.startswith(f"{module}."):
            return None if _is_installed(package) else install
    return None


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
