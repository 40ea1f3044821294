"""EnvPool: environments in C++ that step on their own threads, all at once."""

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from logpi.core.numpy_trees import HostTree, tree_leaves
from logpi.core.processes import available_cores
from logpi.environments.answers import AnswerCheck, FirstContact
from logpi.environments.closing import close_environment
from logpi.environments.protocol import Spec, Step
from logpi.errors import LogpiError, reason_of
from logpi.spaces.actions import to_gymnasium
from logpi.spaces.tree import buffer_dtype, check, leaf_spaces, map_leaves


class EnvPool:
    """N environments of EnvPool. Each `reset` makes a new pool, since a pool takes its seeds only when it is made.

    The step after an episode's end only begins the next one: its row is not `valid`. The pool steps all its copies at
    once, idle ones too; the answers of these are ignored. An action of another shape, kind or range would end the
    process: it raises LogpiError and is not sent. If the task ends on the very step of the time limit, the step is
    given as truncated, because the pool does not tell the two apart.
    """

    def __init__(self, make: Callable[[list[int]], Any], spec: Spec):
        """Keep how to make a pool.

        - `make`: makes a pool from a list of seeds, one for each environment.
        - `spec`: describes the pools.
        """
        self._make, self.spec = make, spec
        self._pool: Any = None
        self._ended = np.zeros(spec.num_envs, bool)
        check(spec.observation_space, "observation")
        self._check = AnswerCheck(f"vector environment {spec.name}", spec.observation_space, spec.num_envs)
        self._is_checked = False  # whether the first answers of a pool were right
        self._to_native = to_gymnasium(spec.action_space, spec.name)
        self._allowed = _allowed(spec)
        # The pool's arrays are only read, so they are copied only where their dtype is not the one stored.
        cast = lambda leaf: lambda x, dtype=buffer_dtype(leaf): x.astype(dtype, copy=False)
        self._as_stored = map_leaves(spec.observation_space, cast)

    def reset(self, seed: int, group: int = 1) -> HostTree:
        """Begin with a new pool; neighbors in groups of `group` are seeded alike."""
        self.close()
        words = np.random.SeedSequence(seed).generate_state(self.spec.num_envs // group) >> 1
        with _without_precision_warnings():
            pool = self._make(np.repeat(words, group).tolist())
            self._pool = pool if self._is_checked else FirstContact(pool, self._check, self._release)
            obs = self._pool.reset()[0]
        self._ended[:] = False
        return self._as_stored(obs)

    def step(self, action: HostTree, idle: np.ndarray) -> Step:
        """Step all copies."""
        self._check_actions(action)
        obs, reward, terminated, truncated, _ = self._pool.step(self._to_native(action))
        obs, valid = self._as_stored(obs), ~(idle | self._ended)
        truncated = truncated & ~terminated
        self._ended = terminated | truncated
        return Step(obs, obs, reward.astype(np.float32, copy=False), terminated, truncated, valid)

    def close(self) -> None:
        """Close the pool and its threads."""
        if self._pool is not None:
            close_environment(self._pool, self.spec.name)
        self._pool = None

    def _release(self, pool: Any) -> None:
        """Step the pool directly from now on: its first answers were right."""
        self._pool, self._is_checked = pool, True

    def _check_actions(self, action: HostTree) -> None:
        """Raise LogpiError for a batch of actions that would make the pool abort the process."""
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
    """List for each leaf of the actions its path, the shape of a batch, kinds of dtype, and the number of choices."""
    leaves = [(path, leaf, (spec.num_envs, *(leaf.shape or ()))) for path, leaf in leaf_spaces(spec.action_space)]
    choices = lambda leaf: getattr(
        leaf, "nvec", 2 if isinstance(leaf, spaces.MultiBinary) else getattr(leaf, "n", None)
    )
    return [(path, shape, "iuf" if choices(leaf) is None else "iu", choices(leaf)) for path, leaf, shape in leaves]


def make(task: str, num_envs: int, time_limit: int | None = None, **arguments: object) -> EnvPool:
    """Make `num_envs` environments of a task that EnvPool has, as "HalfCheetah-v5", on a thread for each core.

    - `time_limit`: ends episodes sooner than the task does, in steps.
    - `arguments`: options of the task, as `envpool.make_gymnasium` takes them.

    Needs the extra `envpool`. Raises LogpiError for a task that cannot be made, and for one of several players.
    """
    library = _envpool()
    try:
        with _without_precision_warnings():
            spec = library.make_spec(task, **arguments)
            observation_space, action_space = spec.gymnasium_observation_space, spec.gymnasium_action_space
    except Exception as error:  # some tasks need what the extra does not bring
        raise LogpiError(f"envpool:{task} cannot be made: {reason_of(error)}") from error
    if spec.config.max_num_players > 1:
        raise LogpiError(f"envpool:{task} is a game of {spec.config.max_num_players} players; logpi plays for one")
    own = _limit(spec.config.max_episode_steps)
    limit = min(filter(None, (own, time_limit)), default=None)
    options = {**arguments, "num_envs": num_envs, "num_threads": min(num_envs, available_cores())}
    options |= {} if limit == own else {"max_episode_steps": limit}
    make_pool = lambda seeds: library.make_gymnasium(task, seed=seeds, **options)
    return EnvPool(make_pool, Spec(f"envpool:{task}", num_envs, observation_space, action_space, limit))


def is_pool(env: VectorEnv) -> bool:
    """Tell whether a vector environment is one of EnvPool's, without importing EnvPool."""
    return hasattr(env, "all_env_ids")


def pooled(pool: Any, name: str) -> EnvPool:
    """Wrap a pool that exists; further pools are made from its settings, one for each seed."""
    kind, settings = type(pool.spec), dict(zip(pool.spec.config._fields, pool.spec.config, strict=True))
    if pool.is_async:
        allowed = f"batch_size={settings['num_envs']}"
        raise LogpiError(f"{name} answers for {settings['batch_size']} environments at a time; allowed: {allowed}")
    make = lambda seeds: type(pool)(kind(kind.gen_config(**settings | {"seed": 0, "env_seed": seeds})))
    with _without_precision_warnings():
        observation_space, action_space = pool.single_observation_space, pool.single_action_space
    limit = _limit(settings["max_episode_steps"])
    return EnvPool(make, Spec(name, pool.num_envs, observation_space, action_space, limit))


def names() -> list[str]:
    """List the tasks of EnvPool."""
    return sorted(_envpool().list_all_envs())


def _envpool() -> ModuleType:
    """Import the library, by its whole name: this module has the same one."""
    return importlib.import_module("envpool")


def _limit(steps: int) -> int | None:
    """Read a pool's time limit: 0 and the largest 32-bit integer mean none."""
    return steps if 0 < steps < 2**31 - 1 else None


@contextmanager
def _without_precision_warnings() -> Iterator[None]:
    """Ignore the warnings that EnvPool's spaces give about bounds that float32 rounds."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*precision lowered by casting.*")
        yield
