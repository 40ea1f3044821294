"""Demonstrations: whole episodes collected from another policy."""

import jax.random as jr
from jaxtyping import PyTree

from logpi.core.keys import root_key
from logpi.core.scalars import LARGEST_INT32, whole_number
from logpi.core.seeds import DEMONSTRATION, TRAINING, derive, read_seed
from logpi.environments.protocol import is_jax_environment
from logpi.environments.registry import make
from logpi.environments.source import EnvironmentSource, is_constructible
from logpi.loop.iteration import iteration_keys
from logpi.policies.behavior import Behavior
from logpi.rollout.play_episodes import play_episodes
from logpi.types import Trajectory


def collect_episodes(
    policy: PyTree,
    env: EnvironmentSource,
    *,
    episodes: int = 20,
    seed: int | None = 0,
    max_episode_steps: int | None = None,
) -> Trajectory:
    """Collect whole episodes of a policy, one per column; actions are sampled, or the modes with `greedy(policy)`.

    - `env`: anything that `make` accepts; an environment object plays one episode in each of its copies.
    - `episodes`: number of episodes, ≥ 1.
    - `max_episode_steps`: longest episode, for a task without a time limit.

    Raises LogpiError for fewer than one episode.

        >>> import jax, logpi
        >>> env = logpi.make("logpi:CartPole-v1", 1)
        >>> policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, key=jax.random.key(0))
        >>> collect_episodes(policy, "logpi:CartPole-v1", episodes=3).reward.shape
        (500, 3)
    """
    episodes, seed = whole_number("episodes", episodes, 1, LARGEST_INT32), read_seed(seed)
    environment = make(env, episodes, max_episode_steps)
    # Seed and key are those of the first iteration of a run with the derived seed.
    seed = derive(seed, DEMONSTRATION)
    key = iteration_keys(jr.split(root_key(seed))[1]).rollout
    columns, mu = environment.spec.num_envs, Behavior(policy)
    try:
        return play_episodes(
            environment, mu, columns, derive(seed, TRAINING, 0), key=key, max_episode_steps=max_episode_steps
        )
    finally:
        if not is_jax_environment(environment) and is_constructible(env):
            environment.close()
