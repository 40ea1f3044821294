"""Layouts: the part of a space that a network is built for, comparable and hashable."""

from dataclasses import dataclass

from gymnasium import spaces

from logpi.errors import LogpiError
from logpi.spaces.tree import leaf_spaces

Layout = tuple[tuple[str, str], ...]
"""(path, description) of every leaf, in the order of `leaf_spaces`."""

KINDS = {"f": "numbers", "i": "integers", "u": "unsigned integers", "b": "truth values"}


def layout(space: spaces.Space) -> Layout:
    """Describe structure, shapes and numbers of choices of a space.

    Bounds and the precision of numbers are left out: a network does not depend on them, and they differ between
    versions and libraries of the same task.
    """
    return tuple((path, _describe(leaf)) for path, leaf in leaf_spaces(space))


def describe_space(space: spaces.Space) -> str:
    """Describe a space in one line, without its bounds."""
    return ", ".join(f"{path} {leaf}".strip() for path, leaf in layout(space))


@dataclass(frozen=True)
class SpaceLayouts:
    """Layouts of the observations that a policy takes and of the actions that it gives."""

    observation: Layout
    action: Layout

    @classmethod
    def of(cls, observation_space: spaces.Space, action_space: spaces.Space) -> "SpaceLayouts":
        """Describe a pair of spaces."""
        return cls(layout(observation_space), layout(action_space))

    def require(self, given: "SpaceLayouts", name: str, owner: str) -> None:
        """Raise LogpiError, naming the first leaf that differs, unless the layouts of an environment are the same.

        - `name`: of the environment.
        - `owner`: of these layouts, as "the policy".
        """
        pairs = {"observation": (self.observation, given.observation), "action": (self.action, given.action)}
        for what, (mine, theirs) in pairs.items():
            if mine == theirs:
                continue
            expected, found = dict(mine), dict(theirs)
            path = next(path for path in [*expected, *found] if expected.get(path) != found.get(path))
            raise LogpiError(
                f"{name} does not fit {owner}: its {what}{path} is {found.get(path, 'absent')}, that of {owner}"
                f" {expected.get(path, 'absent')}; allowed: an environment with the spaces that {owner} was trained on"
            )


def _describe(leaf: spaces.Space) -> str:
    match leaf:
        case spaces.Box():
            return f"Box{leaf.shape} of {KINDS.get(leaf.dtype.kind, leaf.dtype)}"
        case spaces.Discrete():
            return f"Discrete({leaf.n})" if leaf.start == 0 else f"Discrete({leaf.n}, start={leaf.start})"
        case spaces.MultiDiscrete():
            start = f", start={leaf.start.tolist()}" if leaf.start.any() else ""
            return f"MultiDiscrete({leaf.nvec.tolist()}{start})"
        case spaces.MultiBinary():
            return f"MultiBinary{leaf.shape}"
    return str(leaf)
