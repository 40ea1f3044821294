"""Lines about numbers that a network learns from badly at their own scale, with the option that scales them."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import PyTree

from logpi.policies.encoder import space_path
from logpi.policies.images import unscaled_images
from logpi.training.plan import Plan

LARGE_REWARD = 1000.0  # mean of an episode's rewards; tasks of the field stay far below


def unscaled_image_lines(plan: Plan) -> list[str]:
    """One line for each part of the observation that looks like an image and goes to an MLP as it is."""
    if plan.settings.get("normalize_observations", True):
        return []
    return [
        f"warning: {space_path('observation', path)} is {box}, and an MLP gets its numbers as they are: {advice};"
        " or normalize_observations scales them"
        for path, box, advice in unscaled_images(plan.environment.spec.observation_space)
    ]


class LargeRewardWarning:
    """One line, once, where the first episodes' rewards are large and the critic learns returns at their own scale."""

    def __init__(self, log: Callable[[str], Any]):
        """Make it for a run; `log` prints the line."""
        self._log, self._pending = log, True

    @staticmethod
    def applies(settings: Mapping[str, Any], critic: PyTree) -> bool:
        """Tell whether a run has a critic, and the option that would scale its returns is off."""
        return critic is not None and settings.get("normalize_returns", True) is False

    def record(self, record: dict[str, Any]) -> None:
        """Look at the first row in which an episode has ended."""
        returns, length = record.get("return_mean"), record.get("length_mean")
        if not self._pending or returns is None or not length:
            return
        self._pending = False
        if abs(returns) / length >= LARGE_REWARD:
            self._log(
                f"warning: rewards are large, {returns / length:,.0f} a step on average (return {returns:,.0f}): the"
                " critic learns such numbers slowly; normalize_returns scales them, or divide the rewards"
            )
