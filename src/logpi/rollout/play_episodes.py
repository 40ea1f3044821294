"""Whole episodes under a policy, on the device or on the host: for evaluation, demonstrations and the lab."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from logpi.core.collection import Episodes
from logpi.core.compilation import aot_compile
from logpi.environments.protocol import Environment, HostEnvironment, extend_time_limit, is_jax_environment
from logpi.errors import EpisodeOutlasts
from logpi.policies.behavior import Behavior
from logpi.policies.compatibility import require_spaces
from logpi.rollout import device
from logpi.rollout.host import HostRollout
from logpi.rollout.index_ranges import find_out_of_range, refuse_out_of_range
from logpi.rollout.log_probs import scored_trajectory
from logpi.rollout.next_observations import with_next_obs
from logpi.rollout.noise import rollout_noise
from logpi.rollout.observations import StoreNothing
from logpi.rollout.workers.messages import EnvironmentsNotMade
from logpi.types import Trajectory

Fields = dict[str, Any]
FIELDS = tuple(field.name for field in dataclasses.fields(Trajectory) if field.name != "complete")


@dataclass(frozen=True)
class EpisodeRecord:
    """Whole episodes, one a column, in the order of their seeds.

    - `reward`, `valid`: [T, E]; a column is padded with rows that are not valid after its episode's end.
    - `trajectory`: all fields of the same episodes; None from a player of `outcomes_only`.
    """

    reward: Float[np.ndarray, "T E"]
    valid: Bool[np.ndarray, "T E"]
    trajectory: Trajectory | None = None

    @property
    def returns(self) -> Float[np.ndarray, " E"]:
        """Undiscounted sum of each episode's rewards, in float64."""
        return np.where(self.valid, self.reward, 0).sum(axis=0, dtype=np.float64)

    @property
    def lengths(self) -> Int[np.ndarray, " E"]:
        """Number of steps of each episode."""
        return self.valid.sum(axis=0)


class EpisodePlayer:
    """Player of whole episodes under policies like one μ: compiled once, used many times.

    Each of the N environments plays ⌈episodes / N⌉ whole episodes; those beyond `episodes` are dropped by their
    column, not by when they end, which would favor short ones. `start` returns when all episodes are over, except on a
    host whose rollout uses workers. Fetch the record of a play before starting the next one.
    """

    def __init__(
        self,
        environment: Environment | HostEnvironment,
        mu: Behavior,
        episodes: int,
        *,
        outcomes_only: bool = False,
        max_episode_steps: int | None = None,
    ):
        """Compile for a μ like this one.

        - `episodes`: number of columns E of a record, ≥ 1.
        - `outcomes_only`: record rewards and lengths alone; no observation is stored.
        - `max_episode_steps`: as in `Episodes`; the environment's own time limit by default.
        """
        spec = environment.spec
        if not mu.per_environment:
            require_spaces(mu.policy, spec.observation_space, spec.action_space, spec.name)
        self._episodes, self._num_envs = episodes, spec.num_envs
        collect = Episodes(max_episode_steps, episodes_per_env=-(-episodes // self._num_envs))
        self._environment, self._collect, self._outcomes_only = environment, collect, outcomes_only
        self._plays = self._compile(mu)
        self._started: tuple[Behavior, Key[Array, ""], int] = mu, jr.key(0), 0
        self._read: Callable[[Fields], EpisodeRecord] = self._outcomes if outcomes_only else self._record

    @property
    def host_rollout(self) -> HostRollout | None:
        """The rollout of a host environment, which may be given workers; None on the device."""
        return self._plays.rollout if isinstance(self._plays, _HostPlays) else None

    def start(self, mu: Behavior, seed: int, key: Key[Array, ""] | None = None) -> None:
        """Start playing.

        - `seed`: of the environments on the host.
        - `key`: of the actions' noise, on the device of the environments too; `jax.random.key(seed)` by default.
        """
        self._started = mu, jr.key(seed) if key is None else key, seed
        try:
            self._plays.start(*self._started)
        except EpisodeOutlasts as error:
            self._play_longer(error)

    def done(self) -> bool:
        """Tell whether `finish` would return without waiting."""
        return self._plays.done()

    def finish(self) -> EpisodeRecord:
        """Wait for the play that was started and return its record."""
        try:
            return self._read(self._plays.finish())
        except EpisodeOutlasts as error:  # of a worker
            self._play_longer(error)
            return self._read(self._plays.finish())

    def _compile(self, mu: Behavior) -> "_DevicePlays | _HostPlays":
        if is_jax_environment(self._environment):
            return _DevicePlays(cast(Environment, self._environment), mu, self._collect, self._outcomes_only)
        return _HostPlays(cast(HostEnvironment, self._environment), mu, self._collect, self._outcomes_only)

    def _play_longer(self, error: EpisodeOutlasts) -> None:
        """Play once more in this process, with room for longer episodes, until all have ended by themselves."""
        while True:
            extend_time_limit(cast(HostEnvironment, self._environment), error)
            self._plays = self._compile(self._started[0])
            try:
                return self._plays.start(*self._started)
            except EpisodeOutlasts as another:
                error = another

    def _outcomes(self, fields: Fields) -> EpisodeRecord:
        reward, valid = (np.asarray(fields[name])[:, : self._episodes] for name in ("reward", "valid"))
        return EpisodeRecord(reward, valid)

    def _record(self, fields: Fields) -> EpisodeRecord:
        columns = jax.tree.map(lambda x: x[:, : self._episodes], fields)
        tau = Trajectory(**columns, complete=True)
        return EpisodeRecord(np.asarray(tau.reward), np.asarray(tau.valid), tau)


def play_episodes(
    environment: Environment | HostEnvironment,
    mu: Behavior,
    episodes: int,
    seed: int,
    *,
    key: Key[Array, ""] | None = None,
    max_episode_steps: int | None = None,
) -> Trajectory:
    """Play `episodes` whole episodes under μ, one a column, on the device or on the host.

    - `seed`: of the environments on the host; `key`: of all else, `jax.random.key(seed)` by default.
    - `max_episode_steps`: as in `Episodes`.

    Raises LogpiError for a task without a time limit.
    """
    player = EpisodePlayer(environment, mu, episodes, max_episode_steps=max_episode_steps)
    player.start(mu, seed, key)
    trajectory = player.finish().trajectory
    assert trajectory is not None
    return trajectory


class _DevicePlays:
    """Plays on the device, each one call of a compiled program; `start` returns when it is over."""

    def __init__(self, environment: Environment, mu: Behavior, collect: Episodes, outcomes_only: bool):
        def play(mu: Behavior, key: Key[Array, ""]) -> tuple[tuple, Fields]:
            tau = device.rollout(environment, mu, (), key, collect)[1]
            names = ("reward", "valid") if outcomes_only else FIELDS
            fields = {name: getattr(tau, name) for name in names}
            return (), fields | find_out_of_range(environment.spec.observation_space, tau)

        self._spec = environment.spec
        self._program = aot_compile(play, mu, jr.key(0))
        self._fields: Fields = {}

    def start(self, mu: Behavior, key: Key[Array, ""], seed: int) -> None:
        del seed
        fields = jax.block_until_ready(self._program(mu, key)[1])
        self._fields = refuse_out_of_range(fields, self._spec)

    def done(self) -> bool:
        return True

    def finish(self) -> Fields:
        return self._fields


class _HostPlays:
    """Plays by a host rollout; `start` returns when a play is over, or at once if the rollout uses workers."""

    def __init__(self, environment: HostEnvironment, mu: Behavior, collect: Episodes, outcomes_only: bool):
        n, obs = environment.spec.num_envs, environment.reset(0)

        def draw(mu: Behavior, key: Key[Array, ""]) -> tuple[tuple, PyTree]:
            return (), rollout_noise(mu, obs, key, collect, environment.spec)

        def score(mu: Behavior, fields: Fields) -> tuple[tuple, Fields]:
            tau = scored_trajectory(mu, fields, n, complete=True)
            return (), {"log_prob": tau.log_prob, "memory": tau.memory}

        self._noise = aot_compile(draw, mu, jr.key(0))
        store = StoreNothing if outcomes_only else None
        self.rollout = HostRollout(environment, collect, mu, obs, self._noise(mu, jr.key(0))[1], store)
        self._mu, self._key, self._seed = mu, jr.key(0), 0  # of the play under way
        self._outcomes_only = outcomes_only
        if not outcomes_only:
            self._score = aot_compile(score, mu, with_next_obs(self.rollout.buffers))

    def start(self, mu: Behavior, key: Key[Array, ""], seed: int) -> None:
        self._mu, self._key, self._seed = mu, key, seed
        self._start_rollout()

    def done(self) -> bool:
        return self.rollout.done()

    def finish(self) -> Fields:
        try:
            fields = self.rollout.finish()
        except EnvironmentsNotMade:  # workers are only for speed here: the same play, in this process
            self.rollout.use_no_workers()
            self._start_rollout()
            fields = self.rollout.finish()
        if self._outcomes_only:
            return fields
        # Copied: the next play overwrites the rollout's buffers, which `jnp.asarray` might share.
        fields = jax.tree.map(jnp.array, with_next_obs(fields))
        scored = self._score(self._mu, fields)[1]
        return fields | scored | {"reward": fields["reward"].astype(float)}

    def _start_rollout(self) -> None:
        self.rollout.start(self._mu, jax.device_get(self._noise(self._mu, self._key)[1]), self._seed)
