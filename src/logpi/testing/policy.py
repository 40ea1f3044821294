"""Check of a policy: a map from observations of a space to distributions over actions of a space."""

import copy
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium import spaces
from jaxtyping import Array, Key, PyTree

from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.errors import LogpiError
from logpi.policies.behavior import Behavior
from logpi.policies.evaluate import map_rows
from logpi.policies.memory import RecurrentNetwork, is_recurrent, require_same_memory, step_by_step, unroll
from logpi.spaces.actions import to_gymnasium
from logpi.spaces.tree import LeafSpace, copy_as_stored, leaf_spaces, map_leaves
from logpi.testing.distribution import METHODS
from logpi.testing.expect import close, offers, require, same_kind
from logpi.types import Frozen, ravel, trainable

ROWS = 16
HISTORY = 3  # observations that a policy remembers while it is checked


def check_policy(policy: PyTree, observation_space: spaces.Space, action_space: spaces.Space, *, seed: int = 0) -> None:
    """Raise LogpiError unless a policy satisfies its contract on observations sampled from the space.

    - `policy`: any callable PyTree from one raw observation to a distribution; or one that remembers, see
      `RecurrentNetwork`.

    Checked: the distribution's methods; actions with the structure, shapes and ranges of the action space; noise
    independent of observations; equal results under jit and vmap; finite gradients; no parameter without influence. Of
    a policy that remembers: its memory keeps its form, and `unroll` is what its steps are one after the other.
    `check_distribution` checks the distribution itself.

        >>> import jax, logpi
        >>> from gymnasium import spaces
        >>> seen, actions = spaces.Box(-1, 1, (3,)), spaces.Discrete(2)
        >>> check_policy(logpi.mlp_policy(seen, actions, key=jax.random.key(0)), seen, actions)
    """
    obs, key = observations(observation_space, ROWS, seed), jr.key(seed)
    if is_recurrent(policy):
        _memory(policy, obs)
        policy = AfterHistory(policy, Frozen(jax.tree.map(lambda x: x[:HISTORY], obs)))
    together, native = _rows(policy, obs, key)
    remedy = "let the noise's shape and values depend on the action space and the key alone"
    same = all(close(_row(together["noise"], i), _row(together["noise"], 0), 0) for i in range(ROWS))
    require(same, "the noise depends on the observation", remedy)
    _actions(native, action_space)
    _gradients(policy, obs, key)


class AfterHistory(eqx.Module):
    """A policy that remembers as a function of the one observation that follows after others."""

    policy: RecurrentNetwork
    history: Frozen

    def __call__(self, obs: PyTree) -> Any:
        """Return π(·|history, obs)."""
        memory = self.policy.initial()
        for i in range(HISTORY):
            memory = self.policy(_row(self.history.value, i), memory)[1]
        return self.policy(obs, memory)[0]


def _memory(policy: RecurrentNetwork, obs: PyTree) -> None:
    """Check that the memory keeps its form, and that many rows at once are answered as they are one by one."""
    require_same_memory(policy, _row(obs, 0), "the policy")
    begins = jnp.zeros(ROWS, bool).at[ROWS // 2].set(True)
    run = lambda unrolled: eqx.filter_jit(unrolled)(policy, obs, begins, policy.initial())[1]
    same = close(run(unroll), run(step_by_step))
    require(same, "unroll gives other memories than the steps one after the other", "reset it where `begins` says so")


def _row(tree: PyTree, i: int) -> PyTree:
    return jax.tree.map(lambda x: x[i], tree)


def observations(space: spaces.Space, rows: int, seed: int = 0) -> PyTree:
    """Sample `rows` elements of a space, as a rollout stores them: leaves [rows, ...]."""
    space = copy.deepcopy(space)
    space.seed(seed)
    stacked = map_leaves(space, lambda leaf: lambda *xs: np.stack(xs))(*[space.sample() for _ in range(rows)])
    return jax.tree.map(jnp.asarray, copy_as_stored(space)(stacked))


def _rows(policy: PyTree, obs: PyTree, key: Key[Array, ""]) -> tuple[dict[str, Any], Any]:
    """Evaluate the policy on all observations, requiring equal results alone and in a batch; and `to_env(action)`."""

    def evaluate_row(policy: PyTree, obs: PyTree) -> dict[str, Any]:
        pi = policy(obs)
        noise = pi.noise(key)
        action = pi.push(noise)
        return {"noise": noise, "action": action, "log_prob": pi.log_prob(action), "entropy": pi.entropy()}

    def evaluate_rows(policy: PyTree, obs: PyTree) -> dict[str, Any]:
        return map_rows(lambda row: evaluate_row(policy, row), 1, obs)

    def env_action(policy: PyTree, obs: PyTree) -> Any:
        pi = Behavior(policy)(obs)
        return pi.to_env(pi.push(pi.noise(key)))

    remedy = "compute with JAX on the observation alone: no state, no Python branches on values, no NumPy"
    try:
        offers(eqx.filter_eval_shape(policy, _row(obs, 0)), METHODS, "policy's distribution")
        together = eqx.filter_jit(evaluate_rows)(policy, obs)
        native = eqx.filter_jit(env_action)(policy, obs)
    except (jax.errors.JAXTypeError, jax.errors.TracerArrayConversionError) as error:
        raise LogpiError(f"the policy fails under jit and vmap ({str(error).splitlines()[0]}): {remedy}") from None
    alone = eqx.filter_jit(evaluate_row)
    for i in (0, ROWS - 1):
        one = alone(policy, _row(obs, i))
        shape = np.shape(one["log_prob"])
        require(shape == (), f"log_prob has shape {shape}", "sum it over the action")
        same = close(_row(together, i), one)
        require(same, "the policy gives different results alone and in a batch", remedy)
    return together, jax.device_get(native)


def _actions(own: HostTree, space: spaces.Space) -> None:
    """Check that the actions for the environment lie in the action space."""
    wanted = map_leaves(space, _like)()
    same_kind(own, wanted, "the action", "give actions the structure of the action space, one row an observation")
    for (path, leaf), x in zip(leaf_spaces(space), tree_leaves(own), strict=True):
        require(np.isfinite(x).all(), f"the action{path} is not finite", "keep parameters finite for every observation")
        if isinstance(leaf, spaces.Box):
            continue
        counts = np.broadcast_to(2 if isinstance(leaf, spaces.MultiBinary) else _count(leaf), x.shape)
        bad = x[(x < 0) | (x >= counts)]
        require(not bad.size, f"the action{path} is {bad[:1]} in {leaf}", "count from 0; the adapter adds the start")
    native = to_gymnasium(space, "the environment")(own)
    row = tree_map(lambda x: x[0, ...], native)
    require(_contained(space, row), f"{row} does not lie in the action space {space}", "give actions of its shapes")


def _like(leaf: LeafSpace) -> Callable[[], np.ndarray]:
    dtype = np.float32 if isinstance(leaf, spaces.Box) else np.int32
    return lambda: np.zeros((ROWS, *(leaf.shape or ())), dtype)


def _count(leaf: spaces.Space) -> int | np.ndarray:
    if isinstance(leaf, spaces.MultiDiscrete):
        return leaf.nvec
    assert isinstance(leaf, spaces.Discrete)
    return int(leaf.n)


def _contained(space: spaces.Space, x: object) -> bool:
    one = lambda leaf: lambda x: leaf.contains(x.item() if isinstance(leaf, spaces.Discrete) else x)
    return all(tree_leaves(map_leaves(space, one)(x)))


def _gradients(policy: PyTree, obs: PyTree, key: Key[Array, ""]) -> None:
    """Check that ∇log π is finite and nonzero in each leaf of θ, perturbed first: networks may start at zero."""
    flat, unravel = ravel(policy)
    require(flat.size, "the policy has no parameters to learn", "hold θ as floating-point JAX arrays, outside Frozen")
    theta, rest = trainable(unravel(flat + 0.1 * jr.normal(key, flat.shape)))

    def figure(theta: PyTree) -> Array:
        pi = Behavior(eqx.combine(theta, rest))(obs)
        action = jax.lax.stop_gradient(pi.push(pi.noise(key)))
        weights = 1 + jnp.arange(ROWS, dtype=jnp.float32)
        return jnp.sum(weights * pi.log_prob(action))

    for path, x in jax.tree_util.tree_flatten_with_path(eqx.filter_jit(jax.grad(figure))(theta))[0]:
        name = f"policy{jax.tree_util.keystr(path)}"
        require(np.isfinite(x).all(), f"∇log π is not finite in {name}", "keep NaN out of gradients: mask inputs")
        require(np.any(x), f"nothing depends on {name}", "use it, wrap it in logpi.Frozen, or leave it out")
