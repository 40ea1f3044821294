"""Check of the algorithm contract: state, schedules, behavior, learning."""

from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Key, PyTree

from logpi.algorithms.protocol import Algorithm
from logpi.core.collection import Episodes, Steps
from logpi.core.schedules import LinearSchedule
from logpi.environments.protocol import Environment, Spec, is_jax_environment
from logpi.environments.registry import make
from logpi.environments.source import EnvironmentSource
from logpi.policies.action_critic import mlp_action_critic
from logpi.policies.behavior import Behavior
from logpi.policies.critic import mlp_critic
from logpi.policies.policy import mlp_policy
from logpi.rollout import device
from logpi.testing.expect import require, same_kind
from logpi.types import State, Trajectory

NUM_ENVS = 8  # for an algorithm that works with any number of environments
MEMBERS = ("collect", "num_envs_required", "critic_kind", "learns_separately", "init", "at", "behavior", "learn")


def check_algorithm(
    algorithm: object,
    policy: PyTree = None,
    critic: PyTree = None,
    env: EnvironmentSource = "logpi:CartPole-v1",
    *,
    seed: int = 0,
) -> None:
    """Raise LogpiError unless an algorithm keeps the contract `logpi.algorithms.protocol.Algorithm`, naming the fault.

    - `algorithm`: an object with the members of the protocol.
    - `policy`, `critic`: networks to begin with; by default small MLPs for the environment's spaces, with a critic of
      the algorithm's `critic_kind`.
    - `env`: an environment written in JAX, a name or what `make` takes.
    - `seed`: seed of networks, rollout and learning.

    Checked: members and their types; `at` leaves no schedule, and takes a traced progress; the same key
    gives the same μ; `learn` keeps the state's structure, shapes and dtypes, returns scalar
    metrics of which none is infinite (NaN means undefined), gives the same bits for the same key, ignores rows that are
    not valid, and is traced once for two iterations.

        >>> import logpi
        >>> credit, ascent = logpi.RewardToGo(0.99), logpi.Ascent(logpi.adam, 1e-3)
        >>> check_algorithm(logpi.PolicyGradient(credit, logpi.score, ascent, collect=logpi.Episodes(8)))
    """
    algorithm = _members(algorithm)
    time_limit = algorithm.collect.max_episode_steps if isinstance(algorithm.collect, Episodes) else None
    environment = make(env, algorithm.num_envs_required or NUM_ENVS, time_limit)
    require(is_jax_environment(environment), f"{env} runs on the host", "give an environment written in JAX")
    assert is_jax_environment(environment)
    k_networks, k_start, k_behavior, k_rollout, k_learn = jr.split(jr.key(seed), 5)
    default_policy, default_critic = _networks(environment.spec, algorithm.critic_kind, k_networks)
    policy = default_policy if policy is None else policy
    critic = default_critic if critic is None else critic
    state = algorithm.init(policy, critic)
    require(isinstance(state, State), f"init returns {type(state).__name__}", "return logpi.State")
    same_kind(state.policy, policy, "init's policy", "begin with the policy that was given")
    _schedules(algorithm)
    mu, tau = _rollout(algorithm, environment, state, (k_start, k_behavior, k_rollout))
    _learning(algorithm, state, mu, tau, k_learn)


def _members(algorithm: object) -> Algorithm:
    """Every member is there, and the properties have values that the training loop knows."""
    missing = [name for name in MEMBERS if not hasattr(algorithm, name)]
    name = type(algorithm).__name__
    require(not missing, f"the algorithm {name} has no {', '.join(missing)}", "add the missing members")
    checked = cast(Algorithm, algorithm)
    collect, kind, number = checked.collect, checked.critic_kind, checked.num_envs_required
    require(isinstance(collect, Steps | Episodes), f"collect is {collect!r}", "use logpi.Steps(…) or logpi.Episodes(…)")
    require(kind in (None, "state", "action"), f"critic_kind is {kind!r}", "answer None, 'state' or 'action'")
    whole = number is None or (isinstance(number, int) and number > 0)
    require(whole, f"num_envs_required is {number!r}", "answer None or a whole number ≥ 1")
    return checked


def _networks(spec: Spec, kind: str | None, key: Key[Array, ""]) -> tuple[PyTree, PyTree]:
    """Make a small policy for the environment, and a critic of this kind."""
    k_policy, k_critic = jr.split(key)
    policy = mlp_policy(spec.observation_space, spec.action_space, hidden=(4,), normalize=True, key=k_policy)
    if kind is None:
        return policy, None
    if kind == "action":
        return policy, mlp_action_critic(spec.observation_space, spec.action_space, hidden=(4,), key=k_critic)
    return policy, mlp_critic(spec.observation_space, hidden=(4,), key=k_critic)


def _schedules(algorithm: Algorithm) -> None:
    """`at` replaces every schedule by a number, and takes a traced progress."""
    is_schedule = lambda leaf: isinstance(leaf, LinearSchedule)
    left = [x for x in jax.tree.leaves(algorithm.at(0.5), is_leaf=is_schedule) if is_schedule(x)]
    require(not left, f"at(0.5) leaves {left[:1]}", "resolve every part: logpi.core.trees.resolve(self, progress)")
    try:
        eqx.filter_eval_shape(lambda progress: algorithm.at(progress), jnp.float32(0.5))
    except jax.errors.JAXTypeError as error:
        require(False, f"at fails under jit ({str(error).splitlines()[0]})", "let no Python branch depend on progress")


def _rollout(
    algorithm: Algorithm, environment: Environment, state: State, keys: tuple[Array, Array, Array]
) -> tuple[Behavior, Trajectory]:
    """Collect τ with μ, which depends on the state and the key alone."""
    k_start, k_behavior, k_rollout = keys
    behavior = eqx.filter_jit(lambda state: algorithm.at(jnp.float32(0)).behavior(state, k_behavior))
    mu = behavior(state)
    require(isinstance(mu, Behavior), f"behavior returns {type(mu).__name__}", "return logpi.Behavior(policy)")
    require(_same(mu, behavior(state)), "the same key gives another behavior", "draw all randomness from the key")

    @eqx.filter_jit
    def rollout(mu: Behavior) -> Trajectory:
        env_state = device.init_env_state(environment, algorithm.collect, k_start)
        return device.rollout(environment, mu, env_state, k_rollout, algorithm.collect)[1]

    return mu, rollout(mu)


def _learning(algorithm: Algorithm, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> None:
    """`learn` keeps the state's kind, is deterministic, ignores invalid rows and is traced once."""
    traces = []

    @eqx.filter_jit
    def learn(state: State, tau: Trajectory) -> Any:
        traces.append(1)
        return algorithm.at(jnp.float32(0)).learn(state, mu, tau, key)

    answer = learn(state, tau)
    pair = isinstance(answer, tuple) and len(answer) == 2
    require(pair, "learn does not answer (state, info)", "return the new state and a dict of metrics")
    new, info = answer
    require(isinstance(new, State), f"learn returns {type(new).__name__}", "return logpi.State")
    same_kind(new, state, "learn's state", "keep structure, shapes and dtypes of the state")
    _metrics(info)
    require(_same(new, learn(state, tau)[0]), "the same key gives another state", "draw all randomness from the key")
    learn(new, tau)
    remedy = "let the state come out as it went in, weak types included: jnp.asarray(x, dtype) in init"
    require(len(traces) == 1, "the second iteration was traced anew", remedy)
    # A buffer of trajectories may hold the rows; what is learned may not depend on them.
    learned = lambda state: (state.policy, state.critic)
    zeros, ones = (learned(learn(state, _last_row_invalid(tau, fill))[0]) for fill in (0.0, 1.0))
    require(_same(zeros, ones), "rows that are not valid change what is learned", "mask them by tau.valid")


def _metrics(info: object) -> None:
    """Metrics are named scalars; NaN stands for a metric that is undefined, an infinite one is a fault."""
    named = isinstance(info, dict) and all(isinstance(name, str) for name in info)
    require(named, "info is not a dict with names as keys", "return a dict from names to scalars")
    assert isinstance(info, dict)
    for name, x in info.items():
        require(np.shape(x) == (), f"info[{name!r}] has shape {np.shape(x)}", "report one number, such as a mean")
        require(not np.isinf(x), f"info[{name!r}] is infinite", "report NaN where a metric is undefined")


def _last_row_invalid(tau: Trajectory, fill: float) -> Trajectory:
    """τ with the last row invalid, and its floating-point entries replaced by `fill`."""
    masked = lambda x: x.at[-1].set(fill) if jnp.issubdtype(x.dtype, jnp.floating) else x
    return eqx.tree_at(lambda t: t.valid, jax.tree.map(masked, tau), tau.valid.at[-1].set(False))


def _same(one: PyTree, other: PyTree) -> bool:
    """Two trees hold the same arrays, bit for bit."""
    leaves = lambda tree: [np.asarray(x).tobytes() for x in jax.tree.leaves(eqx.filter(tree, eqx.is_array))]
    return leaves(one) == leaves(other)
