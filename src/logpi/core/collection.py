"""How much experience one iteration gathers: a window of steps, or whole episodes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """A window of `length` steps from each environment; episodes run on across windows."""

    num_steps: int = 256

    complete = False

    def max_steps(self, num_envs: int, time_limit: int | None) -> int:
        """The most environment steps one iteration can take."""
        del time_limit
        return self.num_steps * num_envs


@dataclass(frozen=True)
class Episodes:
    """Exactly `episodes_per_env` whole episodes from each environment, one episode a column.

    Never "the first m episodes to finish": that would favor short ones. `max_episode_steps` is the longest
    an episode may be, by default the task's own time limit; an episode that reaches it without an end is cut there
    (`truncated`). Neighbors in groups of `group` environments meet the same random numbers: where they start, how
    the task moves, the noise of their actions. What differs between them is then their policies' doing (common
    random numbers).
    """

    max_episode_steps: int | None = None
    episodes_per_env: int = 1
    group: int = 1

    complete = True

    def max_steps(self, num_envs: int, time_limit: int | None) -> int:
        """The most environment steps one iteration can take, where episodes end by `time_limit` at the latest."""
        return (time_limit or 0) * num_envs * self.episodes_per_env


Collect = Steps | Episodes
