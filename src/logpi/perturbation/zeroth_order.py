"""The algorithm of every method that perturbs θ and estimates ĝ from returns alone."""

from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key, PyTree

from logpi.core.collection import Episodes
from logpi.core.trees import resolve, select
from logpi.core.undefined import UNDEFINED
from logpi.credit.total_return import TotalReturn
from logpi.objectives.base import mean
from logpi.objectives.linear import LinearObjective
from logpi.perturbation.differences import PopulationLayout, central_differences
from logpi.perturbation.protocol import Estimate, Estimator
from logpi.policies.behavior import Behavior, greedy
from logpi.policies.evaluate import evaluate_policy
from logpi.policies.memory import is_recurrent
from logpi.policies.normalization import update_statistics
from logpi.types import Batch, Info, Number, State, Trajectory, ravel, trainable
from logpi.updates.minibatches import flatten_rows
from logpi.updates.protocol import Update


class Accumulated(eqx.Module):
    """`State.opt` of `ZerothOrder`: a gradient estimate in progress, together with the update's own state.

    - `opt`: state of the update.
    - `displacements`: what the estimator keeps of M displacements.
    - `plus`, `minus`: returns of K episodes on both sides of each direction.
    - `done`: number of directions tried so far.
    - `statistics`: the policy without θ, its running statistics with all rows so far. It takes effect with the step,
      since U must stay the same function until then.
    """

    opt: PyTree
    displacements: Float[Array, "M W"]
    plus: Float[Array, "K M"]
    minus: Float[Array, "K M"]
    done: Int[Array, ""]
    statistics: PyTree


class ZerothOrder(eqx.Module):
    """Zeroth-order policy gradient: perturb θ, estimate ĝ from returns, improve the objective θ ↦ ĝᵀθ.

    μ is a population of N policies, one perturbed θ per environment. An estimate that needs more directions than N
    environments can try accumulates over iterations; the step is taken when it is complete, and until then the update's
    metrics are NaN.

    - `estimator`: `FiniteDifference`, `Regression`, `EvolutionStrategies` or `ARS`.
    - `update`: any update; it improves ĝᵀθ.
    - `population`: N, the number of environments.
    - `pairing`: members that are compared: `central_differences`, θ + Δ with θ − Δ; or `forward_differences`, θ + Δ
      with θ.
    - `acting`: policy ↦ policy that acts: `greedy`, the mode, as in evaluation and in the literature on random search
      (U is then that of the deterministic policy); or `sampled`, for the U(θ) of the stochastic policy.
    - `gamma`: γ ∈ [0, 1] of U = E Σ_t γ^t r_t, 1.
    - `collect`: whole episodes. `episodes_per_env` of them give K returns per member; `group` members in a row share
      random numbers: 2 for pairs, N for all, 1 for none.

    Raises LogpiError for a population that the pairing cannot use.
    """

    estimator: Estimator
    update: Update
    population: int = eqx.field(static=True)
    pairing: Callable[[int], PopulationLayout] = eqx.field(static=True, default=central_differences)
    acting: Callable[[PyTree], PyTree] = eqx.field(static=True, default=greedy)
    gamma: Number = 1.0
    collect: Episodes = eqx.field(static=True, default=Episodes(group=2))

    def __check_init__(self) -> None:
        """Raise LogpiError for a population that the pairing cannot use."""
        self._layout()

    @property
    def num_envs_required(self) -> int:
        """N: each member of the population acts in an environment of its own."""
        return self.population

    @property
    def critic_kind(self) -> None:
        """None: ĝ is estimated from returns alone."""
        return None

    @property
    def learns_separately(self) -> bool:
        """False: there is no critic."""
        return False

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """Initialize the state: the update's own, and room for one estimate."""
        theta, statistics = ravel(policy)[0], trainable(policy)[1]
        per_iteration, total = len(self._layout().plus), self._total(theta.size)
        capacity = -(-total // per_iteration) * per_iteration  # whole iterations, the last one padded
        kept = jax.eval_shape(self.estimator.keep, jnp.zeros((per_iteration, theta.size))).shape
        returns = jnp.zeros((self.collect.episodes_per_env, capacity))
        estimate = Accumulated(
            opt=self.update.init(policy),
            displacements=jnp.zeros((capacity, *kept[1:])),
            plus=returns,
            minus=returns,
            done=jnp.int32(0),
            statistics=statistics,
        )
        return State(policy=policy, critic=critic, opt=estimate, critic_opt=())

    def at(self, progress: float | Array) -> "ZerothOrder":
        """Replace every schedule by its value at `progress` ∈ [0, 1], the fraction of the run's environment steps."""
        return resolve(self, progress)

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """Return the population μ: θ displaced by the directions that follow those already tried."""
        theta, rest = trainable(state.policy)
        vector, unravel = ravel_pytree(theta)
        layout = self._layout()
        index = state.opt.done + jnp.arange(len(layout.plus), dtype=jnp.int32)
        displacements = self.estimator.directions(key, vector.size, index)[layout.row]
        members = vector[None] + jnp.asarray(layout.offset, vector.dtype)[:, None] * displacements
        return Behavior(self.acting(eqx.combine(jax.vmap(unravel)(members), rest)), per_environment=True)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """Add the rollout's returns to the estimate, and take the step if it is complete: (state', metrics)."""
        estimate = self._accumulate(state, mu, tau)
        total = self._total(ravel(state.policy)[0].size)
        complete = estimate.done >= total
        gradient, variance, info = self.estimator(
            estimate.displacements[:total],
            estimate.plus[:, :total],
            estimate.minus[:, :total],
            self._layout().separation,
        )
        batch = _batch(state.policy, tau)
        # The step is always computed, since one compiled program serves both cases, and dropped below if incomplete.
        stepped, opt, update_info = self.update(LinearObjective(gradient), state.policy, batch, state.opt.opt, key)
        renewed = eqx.combine(trainable(stepped)[0], estimate.statistics)
        error = jnp.sqrt(jnp.sum(variance))
        info = info | update_info | {"standard_error": error, "signal_to_noise": jnp.linalg.norm(gradient) / error}
        info = {name: jnp.where(complete, x, UNDEFINED) for name, x in info.items()}
        stepped, renewed = (select(complete, new, state.policy) for new in (stepped, renewed))
        info |= _policy_metrics(stepped, renewed, batch)
        info |= {"directions": jnp.minimum(estimate.done, total).astype(float)}
        next_estimate = select(complete, replace(estimate, opt=opt, done=jnp.int32(0)), estimate)
        return replace(state, policy=renewed, opt=next_estimate), info

    def estimate(self, mu: Behavior, returns: Float[Array, "K N"]) -> Estimate:
        """Estimate (ĝ, its variance, metrics) from one population alone, given K returns of each member."""
        return self.estimator(*self._sides(mu, returns), self._layout().separation)

    def _layout(self) -> PopulationLayout:
        return self.pairing(self.population)

    def _total(self, size: int) -> int:
        """Number of directions of one estimate, for `size` parameters."""
        return self.estimator.count(size, len(self._layout().plus))

    def _accumulate(self, state: State, mu: Behavior, tau: Trajectory) -> Accumulated:
        """Write this rollout's displacements and returns after those of earlier ones, and update the statistics."""
        old = state.opt
        phi, target = TotalReturn(self.gamma)(state, tau)
        returns = phi[0].reshape(-1, self.population)  # column e · N + i of τ is episode e of member i
        displacements, plus, minus = self._sides(mu, returns)
        append = lambda buffer, x, axis: lax.dynamic_update_slice_in_dim(buffer, x, old.done, axis)
        rows = lambda x: x.reshape(-1, *x.shape[2:])
        return Accumulated(
            opt=old.opt,
            displacements=append(old.displacements, displacements, 0),
            plus=append(old.plus, plus, 1),
            minus=append(old.minus, minus, 1),
            done=old.done + jnp.int32(len(displacements)),
            statistics=update_statistics(old.statistics, jax.tree.map(rows, tau.obs), rows(target), rows(tau.valid)),
        )

    def _sides(self, mu: Behavior, returns: Float[Array, "K N"]) -> tuple[Array, Array, Array]:
        """Sort a population by directions: (kept displacements, returns `plus`, returns `minus`).

        Displacements are read from μ, so that they are those that acted, rounding included.
        """
        layout = self._layout()
        members = member_parameters(mu)
        displacements = (members[layout.plus] - members[layout.minus]) / layout.separation
        return self.estimator.keep(displacements), returns[:, layout.plus], returns[:, layout.minus]


def member_parameters(mu: Behavior) -> Float[Array, "N P"]:
    """Return θ of each member of a population as a row."""
    return jax.vmap(lambda theta: ravel_pytree(theta)[0])(trainable(mu.policy)[0])


def _batch(policy: PyTree, tau: Trajectory) -> Batch:
    """Make a batch of the rollout's rows, for metrics and for updates that measure the policy's change; credit is 0."""
    zeros = jnp.zeros_like(tau.reward)
    batch = Batch(
        obs=tau.obs,
        action=tau.action,
        log_prob=tau.log_prob,
        credit=zeros,
        target=zeros,
        valid=tau.valid,
        old=evaluate_policy(policy, tau),
        scale=jnp.maximum(jnp.sum(jnp.any(tau.valid, axis=0), dtype=float), 1),
    )
    if is_recurrent(policy):
        return replace(batch, begins=tau.begins, memory=tau.memory)
    return flatten_rows(batch)


def _policy_metrics(stepped: PyTree, renewed: PyTree, batch: Batch) -> Info:
    """Compute the policy's change by the step, and by the new statistics alone, over the batch's rows."""
    after = evaluate_policy(stepped, batch)
    return {
        "kl": mean(batch.old.kl(after), batch),
        "entropy": mean(after.entropy(), batch),
        "statistics_kl": mean(after.kl(evaluate_policy(renewed, batch)), batch),
    }
