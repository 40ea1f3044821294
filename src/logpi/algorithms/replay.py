"""Replay of recent batches: several rollouts in one learning step."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from logpi.algorithms.protocol import Algorithm, AlgorithmWrapper
from logpi.core.collection import Collect, Steps
from logpi.environments.protocol import Spec
from logpi.policies.behavior import Behavior
from logpi.policies.memory import as_first_row
from logpi.rollout.noise import max_episode_length
from logpi.types import Info, Memory, State, Trajectory


class Replay(AlgorithmWrapper[Algorithm]):
    """Algorithm that learns in each iteration from its last K batches side by side.

    Every row carries log μ of the policy that acted then. Correcting for old batches' being another policy's is up to
    the wrapped algorithm: `ImportanceWeighted`, `PerDecision` or `VTrace`. The batches are part of the learner's state
    (`State.opt` is the pair of the algorithm's own `opt` and the buffer); those not collected yet are rows that are not
    valid.

    - `algorithm`: the algorithm that learns.
    - `buffer`: the empty buffer [T, K·N], made by `Replay.allocate`; the newest batch comes first.

    Running statistics of observations absorb a batch once for each time it is learned from.
    """

    algorithm: Algorithm
    buffer: Trajectory

    @staticmethod
    def allocate(batches: int, collect: Collect, spec: Spec, policy: PyTree, critic: PyTree = None) -> Trajectory:
        """Make an empty buffer: a trajectory [T, K·N] of which no row is valid.

        - `batches`: K ≥ 1, the number of rollouts it holds.
        - `collect`: experience of one rollout, that of the algorithm.
        - `spec`, `policy`: environment and policy, which give the shapes of observations and actions.
        - `critic`: needed where it remembers.
        """
        if isinstance(collect, Steps):
            rows, columns = collect.num_steps, batches * spec.num_envs
        else:
            rows, columns = max_episode_length(collect, spec), batches * spec.num_envs * collect.episodes_per_env
        obs = jax.tree.map(jnp.asarray, spec.observation_space.sample())
        mu, one = Behavior(policy), jax.tree.map(lambda x: x[None], obs)
        modes = lambda obs: mu.step(obs, jnp.ones(1, bool), mu.initial(1))[0].mode()
        action = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), jax.eval_shape(modes, one))
        # Whole episodes begin with the memories of the networks that learn from them.
        remembered = lambda network: () if collect.complete else as_first_row(Behavior(network).initial(columns))
        empty = lambda x: jnp.zeros((rows, columns, *x.shape), x.dtype)
        number, flag, time = (empty(jnp.asarray(x)) for x in (0.0, False, jnp.int32(0)))
        obs, action = jax.tree.map(empty, (obs, action))
        return Trajectory(
            obs=obs,
            action=action,
            log_prob=number,
            reward=number,
            next_obs=obs,
            time=time,
            terminated=flag,
            truncated=flag,
            valid=flag,
            complete=collect.complete,
            memory=Memory(remembered(policy), remembered(critic)),
        )

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """Initialize the state of the wrapped algorithm, and the empty buffer."""
        state = self.algorithm.init(policy, critic)
        return replace(state, opt=(state.opt, self.buffer))

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """Put τ in front of the buffer, drop the oldest batch, and learn from the whole buffer."""
        opt, buffer = state.opt
        newest_first = lambda old, new: jnp.concatenate([new, old], axis=1)[:, : old.shape[1]]
        tau = replace(tau, memory=Memory()) if tau.complete else tau
        buffer = jax.tree.map(newest_first, buffer, tau)
        new, info = self.algorithm.learn(replace(state, opt=opt), mu, buffer, key)
        return replace(new, opt=(new.opt, buffer)), info
