"""Amount of experience that one iteration collects: a window of steps, or whole episodes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """A window of `num_steps` steps from each environment; episodes continue across windows.

    - `num_steps`: T ≥ 1, per environment and iteration.
    """

    num_steps: int = 256

    complete = False

    def max_steps(self, num_envs: int, time_limit: int | None) -> int:
        """Upper bound of the environment steps of one iteration: T · N."""
        del time_limit
        return self.num_steps * num_envs


@dataclass(frozen=True)
class Episodes:
    """Exactly `episodes_per_env` whole episodes from each environment, one episode a column.

    Taking the first m episodes to finish would favor short ones, so the number per environment is fixed.

    - `max_episode_steps`: longest episode; one that reaches it without an end is `truncated`. Default: the task's time
      limit.
    - `episodes_per_env`: episodes from each environment, ≥ 1.
    - `group`: each group of so many neighboring environments shares its random numbers (starts, transitions, noise of
      actions), so that returns within a group differ by the policies alone (common random numbers).
    """

    max_episode_steps: int | None = None
    episodes_per_env: int = 1
    group: int = 1

    complete = True

    def max_steps(self, num_envs: int, time_limit: int | None) -> int:
        """Upper bound of the environment steps of one iteration, for episodes of at most `time_limit` steps."""
        return (time_limit or 0) * num_envs * self.episodes_per_env


Collect = Steps | Episodes
