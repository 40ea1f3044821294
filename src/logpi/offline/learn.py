"""Offline learning from stored trajectories."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.keys import root_key
from logpi.core.numpy_trees import tree_leaves
from logpi.core.scalars import LARGEST_INT32, whole_number
from logpi.core.seeds import read_seed
from logpi.core.trees import scan
from logpi.environments.protocol import Spec, is_jax_environment
from logpi.environments.registry import make, name_of
from logpi.environments.source import EnvironmentSource
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.presets.cloning import cloning
from logpi.presets.recipe import Recipe
from logpi.spaces.actions import unscaled
from logpi.spaces.elements import form_fault, index_ranges
from logpi.types import State, Trajectory


def learn_offline(
    algorithm: Algorithm,
    tau: Trajectory,
    policy: PyTree,
    critic: PyTree = None,
    *,
    iterations: int = 1,
    seed: int | None = 0,
) -> tuple[State, dict[str, Array]]:
    """Run an algorithm's `learn` on stored trajectories: (final state, metrics [iterations]).

    - `algorithm`: composed of parts, such as `PolicyGradient`. Whether off-policy data are corrected for depends on the
      parts: `ImportanceWeighted(trajectory_weights)`, `PerDecision` and `VTrace` correct, `score` does not.
    - `tau`: with `log_prob` = log μ(a|s) of the policy that acted.
    - `policy`, `critic`: initial ones.
    - `iterations`: number of calls of `learn`, ≥ 1; schedules run over them.

    Raises LogpiError for fewer than one iteration.

        >>> import jax, logpi
        >>> env = logpi.make("logpi:CartPole-v1", 1)
        >>> policy = logpi.mlp_policy(env.spec.observation_space, env.spec.action_space, key=jax.random.key(0))
        >>> tau = logpi.collect_episodes(policy, "logpi:CartPole-v1", episodes=4)
        >>> weighted = logpi.ImportanceWeighted(logpi.SelfNormalized(logpi.trajectory_weights))
        >>> method = logpi.PolicyGradient(logpi.TotalReturn(), weighted, logpi.Ascent(logpi.adam, 1e-3))
        >>> state, metrics = learn_offline(method, tau, policy, iterations=3)
        >>> metrics["effective_share"].shape
        (3,)
    """
    iterations = whole_number("iterations", iterations, 1, LARGEST_INT32)
    progress = jnp.arange(iterations, dtype=float) / iterations
    return _iterate(
        algorithm, algorithm.init(policy, critic), tau, (progress, jr.split(root_key(read_seed(seed)), iterations))
    )


@eqx.filter_jit
def _iterate(
    algorithm: Algorithm, state: State, tau: Trajectory, xs: tuple[Array, Array]
) -> tuple[State, dict[str, Array]]:
    """Scan `learn` over (progress, key) pairs."""

    def iteration(state: State, x: tuple[Array, Array]) -> tuple[State, dict[str, Array]]:
        progress, key = x
        return algorithm.at(progress).learn(state, Behavior(state.policy), tau, key)

    return scan(iteration, state, xs)


def require_trajectories(tau: Trajectory, spec: Spec) -> None:
    """Raise LogpiError unless trajectories have the observations and actions of an environment's spaces."""
    for what, space, tree in (
        ("observations", spec.observation_space, tau.obs),
        ("actions, in a policy's units,", unscaled(spec.action_space), tau.action),
    ):
        fault = form_fault(space, tree, tau.valid.shape)
        ranges = [] if fault else zip(index_ranges(space), tree_leaves(jax.device_get(tree)), strict=True)
        for bounds, x in ranges:
            if bounds is not None:
                path, low, high = bounds
                wrong = ((x < low) | (x > high)) & np.reshape(tau.valid, (*tau.valid.shape, *[1] * (x.ndim - 2)))
                if wrong.any():
                    fault = fault or f"{path}{': ' * bool(path)}{x[wrong][0]}; allowed are {low} … {high}"
        if fault:
            raise LogpiError(f"the trajectories do not fit {spec.name}: their {what} are others: {fault}")


def clone(tau: Trajectory, env: EnvironmentSource, recipe: Recipe | None = None, *, seed: int | None = 0) -> PyTree:
    """Train a policy that imitates the trajectories.

    - `env`: the environment they come from, anything that `make` accepts; it defines the policy's spaces.
    - `recipe`: `cloning(…)` with options; by default `cloning()`.

    Reinforcement learning can continue from the result: `train(env, ppo().from_policy(policy))`. Raises LogpiError for
    trajectories of other spaces.
    """
    recipe, seed = cloning() if recipe is None else recipe, read_seed(seed)
    environment = make(env, 1)
    settings = recipe.settings(name_of(env))
    k_networks, _ = jr.split(root_key(seed))
    require_trajectories(tau, environment.spec)
    algorithm, policy, _ = recipe.build(environment.spec, settings, k_networks)
    if isinstance(env, str) and not is_jax_environment(environment):
        environment.close()
    return learn_offline(algorithm, tau, policy, seed=seed)[0].policy
