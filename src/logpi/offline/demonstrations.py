"""Demonstrations: whole episodes collected from another policy."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PyTree

from logpi.algorithms.protocol import CriticKind
from logpi.core.collection import Collect, Episodes
from logpi.core.seeds import DEMONSTRATION, derive
from logpi.environments.protocol import is_jax_environment
from logpi.environments.registry import make
from logpi.errors import LogpiError
from logpi.loop.factory import make_loop
from logpi.loop.iteration import init_carry
from logpi.loop.protocol import CallBudget
from logpi.policies.behavior import Behavior
from logpi.types import State, Trajectory


def collect_episodes(
    policy: PyTree, env: Any, *, episodes: int = 20, seed: int = 0, max_episode_steps: int | None = None
) -> Trajectory:
    """Collect whole episodes of a policy, one per column; actions are sampled, or the modes with `Greedy(policy)`.

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
    if episodes < 1:
        raise LogpiError(f"episodes is {episodes}; allowed: a whole number ≥ 1")
    environment = make(env, episodes, max_episode_steps)
    seed = derive(seed, DEMONSTRATION)
    watching = Watching(Episodes(max_episode_steps))
    carry = init_carry(watching, environment, policy, None, jr.key(seed))
    info = make_loop(watching, environment, carry, seed, capacity=1).run(carry, CallBudget(0, 1, 1, 1))[1][0]
    if not is_jax_environment(environment) and isinstance(env, str):
        environment.close()
    return jax.tree.map(jnp.asarray, info["tau"])


class Watching(eqx.Module):
    """An algorithm that learns nothing and returns the collected trajectory."""

    collect: Collect = eqx.field(static=True)
    num_envs_required: int | None = eqx.field(static=True, default=None)
    critic_kind: CriticKind | None = eqx.field(static=True, default=None)
    learns_separately: bool = eqx.field(static=True, default=False)

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """State with the policy alone."""
        return State(policy=policy, critic=critic, opt=(), critic_opt=())

    def at(self, progress: Any) -> "Watching":
        """Return itself: no schedules."""
        del progress
        return self

    def behavior(self, state: State, key: Array) -> Behavior:
        """μ = π."""
        del key
        return Behavior(state.policy)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Array) -> tuple[State, dict[str, Any]]:
        """Return the state unchanged, with τ as its metric."""
        del mu, key
        return state, {"tau": tau}
