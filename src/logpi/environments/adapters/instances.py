"""Instances of environments: each is one copy of one group of environments, so that no copy steps another's episode."""

import weakref
from collections.abc import Iterable
from typing import Any

import gymnasium

from logpi.errors import LogpiError

_owners: "weakref.WeakKeyDictionary[gymnasium.Env, tuple[weakref.ref[Any], int]]" = weakref.WeakKeyDictionary()


def claim(env: gymnasium.Env, owner: object, copy: int, name: str) -> None:
    """Note that an environment which a factory made is this copy of its owner.

    Instances are compared without their wrappers. Those that cannot be hashed or weakly referenced are not compared.

    Raises LogpiError for an instance that is another copy already, of this owner or of another one that is in use:
    the factory gave the same environment twice.
    """
    try:
        other, other_copy = _owners.get(env.unwrapped, (lambda: None, -1))
        if other() is not None and (other() is not owner or other_copy != copy):
            raise _same_instance(name)
        _owners[env.unwrapped] = weakref.ref(owner), copy
    except TypeError:
        return


def release(env: gymnasium.Env, owner: object) -> None:
    """Note that an owner has closed an environment."""
    try:
        if _owners.get(env.unwrapped, (lambda: None, -1))[0]() is owner:
            del _owners[env.unwrapped]
    except TypeError:
        return


def require_distinct(envs: Iterable[gymnasium.Env], name: str) -> None:
    """Raise LogpiError for copies of a vector environment that are the same instance."""
    instances = [id(env.unwrapped) for env in envs]
    if len(set(instances)) < len(instances):
        raise _same_instance(name)


def _same_instance(name: str) -> LogpiError:
    return LogpiError(
        f"environment {name}: its factory gave the same instance twice, and each copy would step the other's episodes;"
        " allowed: a factory that makes a new environment in each call"
    )
