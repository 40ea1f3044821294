"""Learning without an environment, from trajectories that are there already."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, PyTree

from logpi.core.trees import scan
from logpi.environments.protocol import is_jax_environment
from logpi.environments.registry import make, name_of
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.presets.cloning import cloning
from logpi.presets.recipe import Recipe
from logpi.types import State, Trajectory


def learn_offline(
    algorithm: Any, tau: Trajectory, policy: PyTree, critic: PyTree = None, *, iterations: int = 1, seed: int = 0
) -> tuple[State, dict[str, Array]]:
    """Run an algorithm's `learn` on stored trajectories: (the learner afterwards, figures [iterations]).

    - `algorithm`: put together from parts, such as `PolicyGradient`. Its parts say what becomes of τ's being
      another policy's: `ImportanceWeighted(trajectory_weights)`, `PerDecision` or `VTrace` account for it, `score`
      does not.
    - `tau`: with `log_prob` log μ(a|s) of the policy that acted.
    - `policy`, `critic`: where learning begins.
    - `iterations`: how many times; schedules run over them.

    Raises LogpiError for fewer than one iteration.

        >>> import jax, logpi
        >>> env = logpi.make("logpi:CartPole-v1", 1)
        >>> policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, key=jax.random.key(0))
        >>> tau = logpi.collect_episodes(policy, "logpi:CartPole-v1", episodes=4)
        >>> weighted = logpi.ImportanceWeighted(logpi.SelfNormalized(logpi.trajectory_weights))
        >>> method = logpi.PolicyGradient(logpi.TotalReturn(), weighted, logpi.Ascent(logpi.adam, 1e-3))
        >>> state, figures = learn_offline(method, tau, policy, iterations=3)
        >>> figures["effective_share"].shape
        (3,)
    """
    if iterations < 1:
        raise LogpiError(f"iterations is {iterations}; allowed: a whole number ≥ 1")
    progress = jnp.arange(iterations, dtype=float) / iterations
    return _iterate(algorithm, algorithm.init(policy, critic), tau, (progress, jr.split(jr.key(seed), iterations)))


@eqx.filter_jit
def _iterate(algorithm: Any, state: State, tau: Trajectory, xs: tuple[Array, Array]) -> tuple[State, dict[str, Array]]:
    def iteration(state: State, x: tuple[Array, Array]) -> tuple[State, dict[str, Array]]:
        progress, key = x
        return algorithm.at(progress).learn(state, Behavior(state.policy), tau, key)

    return scan(iteration, state, xs)


def clone(tau: Trajectory, env: Any, recipe: Recipe | None = None, *, seed: int = 0) -> PyTree:
    """A policy that imitates the trajectories; `train(env, ppo().starting_from(clone))` improves it.

    - `env`: what they were collected in, whatever `make` takes: it says which spaces the policy is for.
    - `recipe`: `cloning()` with options; that by default.
    """
    recipe = cloning() if recipe is None else recipe
    environment = make(env, 1)
    settings = recipe.settings(name_of(env))
    k_networks, _ = jr.split(jr.key(seed))
    algorithm, policy, _ = recipe.build(environment.spec, settings, k_networks)
    if isinstance(env, str) and not is_jax_environment(environment):
        environment.close()
    return learn_offline(algorithm, tau, policy, seed=seed)[0].policy
