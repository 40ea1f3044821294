"""An environment's two spaces as one value that can be compared and hashed, as static parts of modules must be."""

import functools
import json

from gymnasium import spaces

from logpi.spaces.layout import SpaceLayouts
from logpi.spaces.serialize import to_json


class SpacePair:
    """The spaces of observations and actions that a policy is made for; equal where both are written as the same JSON.

    - `observation`, `action`: the spaces.
    """

    def __init__(self, observation: spaces.Space, action: spaces.Space):
        """Keep both spaces, which must not be changed afterwards."""
        self.observation, self.action = observation, action

    @property
    def layouts(self) -> SpaceLayouts:
        """The layouts of both spaces."""
        return SpaceLayouts.of(self.observation, self.action)

    def __eq__(self, other: object) -> bool:
        """Compare structure, shapes, dtypes and bounds."""
        return self is other or (isinstance(other, SpacePair) and self._text == other._text)

    def __hash__(self) -> int:
        """Hash the text of both spaces."""
        return hash(self._text)

    def __repr__(self) -> str:
        """Return the layouts, without the bounds."""
        layouts = self.layouts
        show = lambda layout: ", ".join(f"{path} {leaf}".strip() for path, leaf in layout)
        return f"SpacePair({show(layouts.observation)} → {show(layouts.action)})"

    @functools.cached_property
    def _text(self) -> str:
        return json.dumps([to_json(self.observation), to_json(self.action)], sort_keys=True)
