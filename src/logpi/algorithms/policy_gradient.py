"""The composition of every policy-gradient method from credit, objective, update and fit."""

from dataclasses import replace
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float, Key, PyTree

from logpi.algorithms.batch import make_batch, memories_before, prepare_trajectory, remembers, to_sampling_unit
from logpi.algorithms.diagnostics import divergence, effective_share, explained_variance, update_metrics
from logpi.algorithms.protocol import CriticKind
from logpi.core.collection import Collect, Steps
from logpi.core.parallel import run_concurrently
from logpi.core.trees import resolve, scan, select
from logpi.credit.base import Credit
from logpi.distributions.divergence import Direction, forward
from logpi.errors import LogpiError
from logpi.objectives.base import Objective, mean
from logpi.objectives.value import CriticObjective, action_value, value
from logpi.policies.action_critic import ActionCritic
from logpi.policies.behavior import Behavior
from logpi.policies.critic import ActorCritic
from logpi.policies.evaluate import evaluate_policy
from logpi.policies.normalization import update_statistics
from logpi.types import Batch, Number, State, Trajectory, trainable
from logpi.updates.minibatches import flatten_rows, segments
from logpi.updates.protocol import Update

Info = dict[str, Float[Array, ""]]

COUNTS = ("epochs", "skipped_updates", "critic_skipped_updates")
"""Metrics that are summed over epochs; all others are averaged."""


class PolicyGradient(eqx.Module):
    """Policy-gradient method: collect τ with μ = π_θ, compute the credit Φ, improve the objective, fit the critic.

    - `credit`: (state, τ) ↦ (Φ, target).
    - `objective`: (outputs, batch) ↦ J, whose gradient at θ_old is the policy gradient.
    - `update`: improves the objective.
    - `fit`: the critic's own update, or `"joint"`: one ascent on the sum of both objectives, with one optimizer and one
      norm clip. None (default) where there is no critic.
    - `vf_coef`: factor of the critic's objective in a joint ascent, ≥ 0, default 0.5.
    - `critic_objective`: the objective that the fit improves: `value` or `ClippedValue(ε)` for a critic V(s),
      `action_value` for a critic Q(s, a).
    - `epochs`: passes over the batch, ≥ 1, default 1. Each computes credit (again, if `recompute_advantages`), then
      makes one pass of `update` and one of `fit`.
    - `target_kl`: an epoch begins only while the mean KL(π_old‖π_θ) is at most this, in nats; None
      (default) for no limit.
    - `target_kl_direction`: `forward` (default), or `reverse` for the mean KL(π_θ‖π_old).
    - `min_effective_sample_share`: an epoch begins only while the effective sample size of π_θ's weights
      on the batch is at least this share of its rows (of its trajectories, for an objective that weighs those).
    - `collect`: amount of experience per iteration: `Steps(T)` or `Episodes()`.
    - `sequence_length`: L, for networks that remember: columns are cut into segments of L steps, each with the memory
      that it began with, which are shuffled into minibatches and through which gradients go back; a divisor of the
      columns' length. None (default) for whole columns.
    """

    credit: Credit
    objective: Objective
    update: Update
    fit: Update | Literal["joint"] | None = None
    vf_coef: Number = 0.5
    critic_objective: CriticObjective = value
    epochs: int = eqx.field(static=True, default=1)
    recompute_advantages: bool = eqx.field(static=True, default=False)
    target_kl: Number | None = None
    target_kl_direction: Direction = eqx.field(static=True, default=forward)
    min_effective_sample_share: Number | None = None
    collect: Collect = eqx.field(static=True, default=Steps())
    sequence_length: int | None = eqx.field(static=True, default=None)

    @property
    def num_envs_required(self) -> None:
        """None: μ = π_θ acts in any number of environments."""
        return None

    @property
    def critic_kind(self) -> CriticKind | None:
        """Kind of critic that `fit` learns: Q(s, a) under the objective `action_value`, else V(s)."""
        if self.fit is None:
            return None
        return "action" if self.critic_objective is action_value else "state"

    @property
    def learns_separately(self) -> bool:
        """True if V has an update of its own, neither joint nor absent."""
        return self.fit is not None and self.fit != "joint"

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """Make the initial state. Raises LogpiError for a fit without a critic, or for Q where V is read."""
        if self.fit is not None and critic is None:
            raise LogpiError("the algorithm has a fit but no critic to fit: pass critic=…, or fit=None")
        if isinstance(critic, ActionCritic) and self.critic_objective is not action_value:
            raise LogpiError(
                f"the critic answers Q(s, a) and critic_objective is {type(self.critic_objective).__name__}, which"
                " reads V(s): pass critic_objective=action_value, with a fit or without"
            )
        if self.fit == "joint":
            return State(policy=policy, critic=critic, opt=self.update.init(ActorCritic(policy, critic)), critic_opt=())
        critic_opt = self.fit.init(critic) if self.fit else ()
        return State(policy=policy, critic=critic, opt=self.update.init(policy), critic_opt=critic_opt)

    def at(self, progress: float | Array) -> "PolicyGradient":
        """Resolve schedules at a share `progress` ∈ [0, 1] of the run's steps."""
        return resolve(self, progress)

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """Return μ = π_θ."""
        del key
        return Behavior(state.policy)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """Learn from one rollout: (state, μ, τ, key) → (state', metrics)."""
        del mu
        tau = prepare_trajectory(state, tau)
        old = lax.stop_gradient(evaluate_policy(state.policy, tau))
        window = make_batch(self.credit, state, tau, old)
        batch = self._laid_out(window, state, tau)

        def epoch(carry: tuple[State, Array], key: Array) -> tuple[tuple[State, Array], Info]:
            now, halted = carry
            rows = self._batch(now, tau, old) if self.recompute_advantages else batch
            halted |= self._too_far(now.policy, batch)
            new, info = self._improved(now, halted, rows, key)
            return (new, halted), info | {"epochs": jnp.where(halted, 0.0, 1.0)}

        (new, _), infos = scan(epoch, (state, jnp.asarray(False)), jr.split(key, self.epochs))
        info = _over_epochs(infos)
        info |= explained_variance(self.critic_objective, state.critic, window) | update_metrics(
            self.objective, new.policy, batch
        )
        return self._absorbed(new, batch, info)

    def _batch(self, state: State, tau: Trajectory, old: PyTree) -> Batch:
        """Make the batch for the objective, its credit computed with the networks of `state`."""
        return self._laid_out(make_batch(self.credit, state, tau, old), state, tau)

    def _laid_out(self, batch: Batch, state: State, tau: Trajectory) -> Batch:
        """Lay the batch [T, N] out for the objective; for networks that remember in segments, if there are any."""
        steps = tau.valid.shape[0]
        if self.sequence_length in (None, steps) or not remembers(state):
            return to_sampling_unit(self.objective, batch)
        if steps % self.sequence_length:
            raise LogpiError(f"sequence_length is {self.sequence_length}; allowed: a divisor of the {steps} steps")
        if self.objective.sampling_unit == "trajectory":
            raise LogpiError(
                f"sequence_length is {self.sequence_length} and {type(self.objective).__name__} weighs whole columns of"
                f" {steps} steps; allowed: none"
            )
        return segments(batch, self.sequence_length, lax.stop_gradient(memories_before(state, tau)))

    def _improved(self, state: State, halted: Array, batch: Batch, key: Array) -> tuple[State, Info]:
        """Apply one pass of the update and of the critic's fit. Where π has halted, the critic's own fit continues."""
        k_update, k_fit = jr.split(key)
        update, fit = self.update, self.fit
        if fit == "joint":
            both = self.objective + self.vf_coef * self.critic_objective
            pair, opt, info = update(both, ActorCritic(state.policy, state.critic), batch, state.opt, k_update)
            return select(halted, state, replace(state, policy=pair.policy, critic=pair.critic, opt=opt)), info
        ascend = lambda: _arrays(update(self.objective, state.policy, batch, state.opt, k_update))
        if fit is None:
            (theta, opt, info), critic, critic_opt = ascend(), state.critic, state.critic_opt
        else:  # neither sees what the other makes of the batch
            learn = lambda: _arrays(fit(self.critic_objective, state.critic, batch, state.critic_opt, k_fit))
            (theta, opt, info), (phi, critic_opt, fit_info) = run_concurrently(ascend, learn)
            critic = _with(state.critic, phi)
            info |= {f"critic_{name}": x for name, x in fit_info.items()}
        policy, opt = select(halted, (state.policy, state.opt), (_with(state.policy, theta), opt))
        return State(policy=policy, critic=critic, opt=opt, critic_opt=critic_opt), info

    def _too_far(self, policy: PyTree, batch: Batch) -> Array:
        far = jnp.asarray(False)
        if self.target_kl is not None:
            far = divergence(policy, batch, self.target_kl_direction) > self.target_kl
        if self.min_effective_sample_share is None:
            return far
        return far | (effective_share(self.objective, policy, batch) < self.min_effective_sample_share)

    def _absorbed(self, state: State, batch: Batch, info: Info) -> tuple[State, Info]:
        """Update the running statistics, and measure how far that alone moved the policy (`statistics_kl`)."""
        rows = flatten_rows(batch) if batch.valid.ndim > 1 else batch
        policy, critic = update_statistics((state.policy, state.critic), rows.obs, rows.target, rows.valid)
        rows = batch if remembers(state) else rows
        drift = mean(evaluate_policy(state.policy, rows).kl(evaluate_policy(policy, rows)), rows)
        return replace(state, policy=policy, critic=critic), info | {"statistics_kl": drift}


def _arrays(learned: tuple[PyTree, PyTree, Info]) -> tuple[PyTree, PyTree, Info]:
    """Keep the trainable part of the parameters that an update returned: arrays alone, as devices exchange them."""
    params, opt, info = learned
    return trainable(params)[0], opt, info


def _with(network: PyTree, theta: PyTree) -> PyTree:
    """Put trainable parameters back into a network."""
    return eqx.combine(theta, trainable(network)[1])


def _over_epochs(infos: dict[str, Float[Array, " epochs"]]) -> Info:
    """Aggregate metrics over epochs: means over the epochs that were made, sums of counts."""
    made = infos["epochs"]
    live = {name: x if name.startswith("critic_") else x * made for name, x in infos.items()}
    many = lambda name: float(made.size) if name.startswith("critic_") else jnp.maximum(jnp.sum(made), 1.0)
    return {name: jnp.sum(x) if name in COUNTS else jnp.sum(x) / many(name) for name, x in live.items()}
