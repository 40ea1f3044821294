"""EnvPool: environments in C++ that step on threads of their own, all at once."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from logpi.core.numpy_trees import tree_leaves
from logpi.environments.protocol import Spec, Step
from logpi.errors import LogpiError
from logpi.spaces.actions import to_gymnasium
from logpi.spaces.tree import buffer_dtype, check, leaf_spaces, map_leaves


class EnvPool:
    """N environments of EnvPool, whose pools are made anew for every seed: a pool's own `reset` takes none.

    The step after an episode's end only begins the next one: its row is not `valid`. The pool steps all its copies at
    once, so idle ones move too; what they answer is ignored. An action of another shape, kind or range would end the
    process: it raises LogpiError and is not sent. An end of the task on the very step of the time limit is given as
    truncated, because the pool does not tell the two apart.
    """

    def __init__(self, make: Callable[[list[int]], Any], spec: Spec):
        """`make` gives a pool for a list of seeds, one for each environment; `spec` says what the pools are like."""
        self._make, self.spec = make, spec
        self._pool: Any = None
        self._ended = np.zeros(spec.num_envs, bool)
        check(spec.observation_space, "observation")
        self._native = to_gymnasium(spec.action_space, spec.name)
        self._allowed = _allowed(spec)
        # What the pool answers is written into by nobody: it is copied only where its dtype is not ours.
        cast = lambda leaf: lambda x, dtype=buffer_dtype(leaf): x.astype(dtype, copy=False)
        self._kept = map_leaves(spec.observation_space, cast)

    def reset(self, seed: int, group: int = 1) -> Any:
        """Begin with a new pool; groups of neighbors are seeded alike, and stay alike as long as their episodes do."""
        self.close()
        words = np.random.SeedSequence(seed).generate_state(self.spec.num_envs // group) >> 1
        with _without_precision_warnings():
            self._pool = self._make(np.repeat(words, group).tolist())
            obs = self._pool.reset()[0]
        self._ended[:] = False
        return self._kept(obs)

    def step(self, action: Any, idle: np.ndarray) -> Step:
        """Step all copies."""
        self._refuse(action)
        obs, reward, terminated, truncated, _ = self._pool.step(self._native(action))
        obs, valid = self._kept(obs), ~(idle | self._ended)
        truncated = truncated & ~terminated
        self._ended = terminated | truncated
        return Step(obs, obs, reward.astype(np.float32, copy=False), terminated, truncated, valid)

    def close(self) -> None:
        """End the pool and its threads."""
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def _refuse(self, action: Any) -> None:
        """Raise LogpiError for a batch of actions that the pool could not take."""
        for x, (path, shape, kinds, choices) in zip(tree_leaves(action), self._allowed, strict=True):
            if x.shape != shape or x.dtype.kind not in kinds:
                raise LogpiError(
                    f"{self.spec.name} was given actions{path} of shape {x.shape} and dtype {x.dtype};"
                    f" allowed: {'whole ' if choices is not None else ''}numbers of shape {shape}"
                )
            if choices is not None and ((x < 0) | (x >= choices)).any():
                row = np.argwhere((x < 0) | (x >= choices))[0][0]
                raise LogpiError(
                    f"{self.spec.name} was given action{path} {x[row]} for environment {row};"
                    f" allowed: 0 … {choices - 1}"
                )


def _allowed(spec: Spec) -> list[tuple[str, tuple[int, ...], str, Any]]:
    """Of each leaf of the actions its place, the shape of a batch, kinds of dtype, and how many choices there are."""
    leaves = [(path, leaf, (spec.num_envs, *(leaf.shape or ()))) for path, leaf in leaf_spaces(spec.action_space)]
    choices = lambda leaf: getattr(
        leaf, "nvec", 2 if isinstance(leaf, spaces.MultiBinary) else getattr(leaf, "n", None)
    )
    return [(path, shape, "iuf" if choices(leaf) is None else "iu", choices(leaf)) for path, leaf, shape in leaves]


def make(task: str, num_envs: int, time_limit: int | None = None, **arguments: Any) -> EnvPool:
    """Make `num_envs` environments of a task that EnvPool has, as "HalfCheetah-v5", on a thread for each core.

    - `time_limit`: ends episodes sooner than the task does, in steps.
    - `arguments`: options of the task, as `envpool.make_gymnasium` takes them.

    Needs the extra `envpool`. Raises LogpiError for a task that cannot be made, and for one of several players.
    """
    import envpool as library  # pyright: ignore[reportMissingImports]

    try:
        with _without_precision_warnings():
            spec = library.make_spec(task, **arguments)
            observation_space, action_space = spec.gymnasium_observation_space, spec.gymnasium_action_space
    except Exception as error:  # some tasks need what the extra does not bring
        raise LogpiError(f"envpool:{task} cannot be made: {' '.join(str(error).split())}") from error
    if spec.config.max_num_players > 1:
        raise LogpiError(f"envpool:{task} is a game of {spec.config.max_num_players} players; logpi plays for one")
    own = _limit(spec.config.max_episode_steps)
    limit = min(filter(None, (own, time_limit)), default=None)
    options = {**arguments, "num_envs": num_envs, "num_threads": min(num_envs, cores())}
    options |= {} if limit == own else {"max_episode_steps": limit}
    make_pool = lambda seeds: library.make_gymnasium(task, seed=seeds, **options)
    return EnvPool(make_pool, Spec(f"envpool:{task}", num_envs, observation_space, action_space, limit))


def is_pool(env: VectorEnv) -> bool:
    """Tell whether a vector environment is one of EnvPool's, without importing EnvPool."""
    return hasattr(env, "all_env_ids")


def pooled(pool: Any, name: str) -> EnvPool:
    """The environments of a pool that was made already; others like it are made from its settings."""
    kind, settings = type(pool.spec), dict(zip(pool.spec.config._fields, pool.spec.config, strict=True))
    if pool.is_async:
        allowed = f"batch_size={settings['num_envs']}"
        raise LogpiError(f"{name} answers for {settings['batch_size']} environments at a time; allowed: {allowed}")
    make = lambda seeds: type(pool)(kind(kind.gen_config(**settings | {"seed": 0, "env_seed": seeds})))
    with _without_precision_warnings():
        seen, acted = pool.single_observation_space, pool.single_action_space
    return EnvPool(make, Spec(name, pool.num_envs, seen, acted, _limit(settings["max_episode_steps"])))


def names() -> list[str]:
    """The tasks there are."""
    import envpool as library  # pyright: ignore[reportMissingImports]

    return sorted(library.list_all_envs())


def _limit(steps: int) -> int | None:
    """The time limit that a pool states; 0 and the greatest number there is stand for none."""
    return steps if 0 < steps < 2**31 - 1 else None


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _without_precision_warnings() -> Iterator[None]:
    """EnvPool's spaces warn of bounds that float32 rounds."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*precision lowered by casting.*")
        yield
