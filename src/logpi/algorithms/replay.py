"""Reuse of the last batches."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PyTree

from logpi.algorithms.policy_gradient import PolicyGradient
from logpi.core.collection import Collect, Steps
from logpi.environments.protocol import Spec
from logpi.policies.behavior import Behavior
from logpi.rollout.noise import max_episode_length
from logpi.types import State, Trajectory


class Replay(eqx.Module):
    """The algorithm, learning each time from the last K batches side by side, each with the log μ of who acted then.

    What becomes of old data's being another policy's is the algorithm's to say: `ImportanceWeighted`, `PerDecision`,
    `VTrace`. The batches lie in the learner's state; those not yet made are rows that are not valid.

    - `algorithm`: what learns.
    - `memory`: where they lie, the newest first: `Replay.room(…)` makes it.

    Running statistics of observations absorb a batch once for each time it is learned from.
    """

    algorithm: PolicyGradient
    buffer: Trajectory

    @staticmethod
    def allocate(batches: int, collect: Collect, spec: Spec, policy: PyTree) -> Trajectory:
        """Room for so many batches of such a policy in such environments: [T, K·N], no row valid."""
        if isinstance(collect, Steps):
            rows, columns = collect.num_steps, batches * spec.num_envs
        else:
            rows, columns = max_episode_length(collect, spec), batches * spec.num_envs * collect.episodes_per_env
        obs = jax.tree.map(jnp.asarray, spec.observation_space.sample())
        action = jax.eval_shape(lambda obs: policy(obs).mode(), obs)
        empty = lambda x: jnp.zeros((rows, columns, *x.shape), x.dtype)
        number, flag, time = (empty(jnp.asarray(x)) for x in (0.0, False, jnp.int32(0)))
        seen, made = jax.tree.map(empty, (obs, action))
        return Trajectory(seen, made, number, number, seen, time, flag, flag, flag, collect.complete)

    @property
    def collect(self) -> Collect:
        """The algorithm's own."""
        return self.algorithm.collect

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """The algorithm's own beginning, and an empty memory."""
        state = self.algorithm.init(policy, critic)
        return State(state.policy, state.critic, (state.opt, self.buffer), state.critic_opt)

    def at(self, progress: Any) -> "Replay":
        """With the algorithm's schedules at their values."""
        return Replay(self.algorithm.at(progress), self.buffer)

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """The algorithm's own."""
        return self.algorithm.behavior(state, key)

    def learn(
        self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]
    ) -> tuple[State, dict[str, Float[Array, ""]]]:
        """One iteration of the algorithm on the newest batch and those before it; the oldest makes way."""
        opt, memory = state.opt
        memory = jax.tree.map(lambda old, new: jnp.concatenate([new, old], axis=1)[:, : old.shape[1]], memory, tau)
        inner = State(state.policy, state.critic, opt, state.critic_opt)
        new, info = self.algorithm.learn(inner, mu, memory, key)
        return State(new.policy, new.critic, (new.opt, memory), new.critic_opt), info
