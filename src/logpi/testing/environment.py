"""Check of an environment: values must fit its spec, and episodes must end and start as flagged."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.random as jr
import numpy as np
from gymnasium import spaces

from logpi.core.numpy_trees import HostTree, tree_leaves, tree_map
from logpi.environments.protocol import Environment, HostEnvironment, Spec, Step, is_jax_environment
from logpi.environments.registry import make
from logpi.environments.source import EnvironmentSource, is_constructible
from logpi.errors import LogpiError
from logpi.spaces.actions import bounded_dimensions
from logpi.spaces.tree import LeafSpace, check, empty, leaf_spaces, map_leaves
from logpi.testing.expect import close, offers, require, same_kind
from logpi.testing.starts import Played, check_ends, check_starts

FIELDS = {"reward": np.float32, "terminated": np.bool_, "truncated": np.bool_, "valid": np.bool_}


@runtime_checkable
class Player(Protocol):
    """Members that a check steps environments by, on the host or on the device."""

    def reset(self, seed: int) -> HostTree:
        """Begin new episodes."""
        ...

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step all environments."""
        ...


def check_environment(env: EnvironmentSource, *, num_envs: int = 4, steps: int = 200, seed: int = 0) -> None:
    """Raise LogpiError unless an environment satisfies its contract under random actions.

    - `env`: whatever `logpi.make` takes: a name, a factory, a Gymnasium environment or vector environment, one in JAX.
    - `num_envs`, `steps`: number of copies (if the check makes them), and steps of the rollout.

    Checked: supported spaces; shapes and dtypes of the spaces; finite values; never both ends at once; ends by the time
    limit; true final observations and fresh starts; environments independent of each other, with different starts if
    starts are random; reproducibility from a seed; actions clipped to their bounds, and non-finite actions refused. In
    JAX: a state of constant structure. Warns if no time limit is known.

        >>> check_environment("logpi:CartPole-v1", steps=60)
    """
    environment = make(env, num_envs)
    spec = environment.spec
    check(spec.observation_space, "observation")
    check(spec.action_space, "action")
    on_device = is_jax_environment(environment)
    offers(environment, ("reset", "step") if on_device else ("reset", "step", "close"), "environment")
    player = _OnDevice(environment) if is_jax_environment(environment) else environment
    try:
        actions = [random_actions(spec.action_space, spec.num_envs, seed + t) for t in range(steps)]
        played = _play(player, actions, seed)
        _answers(spec, played)
        check_ends(spec, played)
        _repeats(player, actions[: min(steps, 40)], played, seed)
        check_starts(spec, [player.reset(s) for s in range(seed, seed + 12)], played)
        _bounds(player, spec, actions[0], seed)
        if not is_jax_environment(environment):
            _host(environment, spec, actions[0], seed)
    finally:
        if not is_jax_environment(environment) and is_constructible(env):
            environment.close()


class _OnDevice:
    """A JAX environment with the interface of a host environment."""

    def __init__(self, environment: Environment):
        state, _ = jax.eval_shape(environment.reset, jr.key(0))
        action = random_actions(environment.spec.action_space, environment.spec.num_envs, 0)
        later, _ = jax.eval_shape(environment.step, jr.key(0), state, action)
        same_kind(later, state, "the state after a step", "let step keep the state's structure, shapes and dtypes")
        self._reset = jax.jit(lambda key: environment.reset(key))
        self._step = jax.jit(lambda key, state, action: environment.step(key, state, action))

    def reset(self, seed: int) -> HostTree:
        """Reset from the seed's key."""
        k_reset, self._key = jr.split(jr.key(seed))
        self._state, obs = self._reset(k_reset)
        return jax.device_get(obs)

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step all environments."""
        del idle
        k_step, self._key = jr.split(self._key)
        self._state, step = self._step(k_step, self._state, action)
        return jax.device_get(step)


def random_actions(space: spaces.Space, rows: int, seed: int) -> HostTree:
    """Draw actions in a policy's convention: integers from 0; for a Box, numbers within and beyond [−1, 1]."""
    rng = np.random.default_rng(seed)

    def draw(leaf: LeafSpace) -> Callable[[], np.ndarray]:
        shape = (rows, *(leaf.shape or ()))
        match leaf:
            case spaces.Box():
                return lambda: rng.uniform(-1.3, 1.3, shape).astype(np.float32)
            case spaces.MultiBinary():
                return lambda: rng.integers(0, 2, shape).astype(np.int32)
            case spaces.Discrete():
                return lambda: rng.integers(0, leaf.n, shape).astype(np.int32)
        return lambda: rng.integers(0, leaf.nvec, shape).astype(np.int32)

    return map_leaves(space, draw)()


def _play(player: Player, actions: list[HostTree], seed: int) -> Played:
    first, idle = player.reset(seed), np.zeros(len(tree_leaves(actions[0])[0]), bool)
    return Played(first, [player.step(action, idle) for action in actions])


def _answers(spec: Spec, played: Played) -> None:
    """Check structures, shapes, dtypes and ranges of all observations, rewards and flags."""
    wanted = empty(spec.observation_space, spec.num_envs)()
    remedy = "make it fit the observation space (64 bits are kept as 32)"
    same_kind(played.first, wanted, "reset's observation", remedy)
    for t, step in enumerate(played.steps):
        for name in ("obs", "next_obs"):
            same_kind(getattr(step, name), wanted, f"step {t}'s {name}", remedy)
            _in_range(spec, getattr(step, name), f"step {t}'s {name}")
        for name, dtype in FIELDS.items():
            like = np.zeros(spec.num_envs, dtype)
            same_kind(getattr(step, name), like, f"step {t}'s {name}", "answer one number an environment")
        require(np.isfinite(step.reward[step.valid]).all(), f"step {t}'s reward is not finite", "keep rewards finite")
        both = (step.terminated & step.truncated).any()
        require(
            not both, f"step {t} is terminated and truncated at once", "let terminated win: truncated &= ~terminated"
        )


def _in_range(spec: Spec, obs: HostTree, what: str) -> None:
    """Check that observations are finite and, in discrete spaces, within range."""
    for (path, leaf), x in zip(leaf_spaces(spec.observation_space), tree_leaves(obs), strict=True):
        require(np.isfinite(x).all(), f"{what}{path} is not finite", "keep observations finite")
        low = np.asarray(getattr(leaf, "start", 0))
        match leaf:
            case spaces.Discrete():
                high = low + leaf.n - 1
            case spaces.MultiDiscrete():
                high = low + leaf.nvec - 1
            case spaces.MultiBinary():
                high = np.asarray(1)
            case _:
                continue
        good = bool(((x >= low) & (x <= high)).all())
        require(good, f"{what}{path} is not in {leaf}", "answer elements of the observation space")


def _repeats(player: Player, actions: list[HostTree], played: Played, seed: int) -> None:
    """Check that the same seed and actions give the same observations, rewards and flags."""
    again = _play(player, actions, seed)
    remedy = "draw everything from the seed or key given to reset, and keep nothing from one reset to the next"
    require(close(again.first, played.first, 0), f"seed {seed} gives other first observations the second time", remedy)
    for t, (one, other) in enumerate(zip(again.steps, played.steps, strict=False)):
        require(close(one, other, 0), f"seed {seed} gives another step {t} the second time", remedy)


def _bounds(player: Player, spec: Spec, action: HostTree, seed: int) -> None:
    """Check that an action far beyond its bounds acts as the action at the bounds."""
    boxes = [leaf for _, leaf in leaf_spaces(spec.action_space) if isinstance(leaf, spaces.Box)]
    if not boxes:
        return
    at_most = lambda size: map_leaves(spec.action_space, lambda leaf: lambda x: _stretched(leaf, x, size))(action)
    one, far = (_play(player, [at_most(size)], seed).steps[0] for size in (1.0, 50.0))
    remedy = "map actions with logpi.spaces.actions.to_native: −1 … 1 spans the bounds, what is beyond is clipped"
    require(close(one, far, 1e-5), "an action beyond its bounds does more than one at them", remedy)


def _stretched(leaf: spaces.Space, x: np.ndarray, size: float) -> np.ndarray:
    if not isinstance(leaf, spaces.Box):
        return x
    bounded = bounded_dimensions(leaf)
    return np.where(bounded, np.sign(x) * size, x).astype(np.float32)


def _host(environment: HostEnvironment, spec: Spec, action: HostTree, seed: int) -> None:
    """Check that rows of idle environments are not valid, and that non-finite actions are refused."""
    environment.reset(seed)
    idle = np.arange(spec.num_envs) == 0
    step = environment.step(action, idle)
    require(not step.valid[0], "a row of an idle environment is valid", "answer valid & ~idle")
    non_finite = tree_map(lambda x: np.full_like(x, np.nan) if x.dtype == np.float32 else x, action)
    if close(non_finite, action):
        return
    try:
        environment.step(non_finite, np.zeros(spec.num_envs, bool))
    except LogpiError:
        return
    require(False, "an action that is not finite was sent on", "raise logpi.LogpiError for it before stepping anything")
