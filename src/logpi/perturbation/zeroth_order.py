"""The composition of every method that perturbs θ and looks at returns alone."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key, PyTree

from logpi.core.collection import Episodes
from logpi.core.trees import resolve, select
from logpi.credit.total_return import TotalReturn
from logpi.objectives.base import mean
from logpi.objectives.linear import LinearObjective
from logpi.perturbation.differences import PopulationLayout, central_differences
from logpi.perturbation.protocol import Estimate, Estimator, Info
from logpi.policies.behavior import Behavior, Greedy
from logpi.policies.evaluate import evaluate_policy
from logpi.policies.normalization import update_statistics
from logpi.types import Batch, Number, State, Trajectory, ravel, trainable
from logpi.updates.minibatches import flatten_rows
from logpi.updates.protocol import Update


class Accumulated(eqx.Module):
    """An estimate in the making, beside the update's own state.

    - `kept`, `plus`, `minus`: what is remembered of M directions, and the returns of K episodes on both sides.
    - `done`: how many of them have been tried.
    - `statistics`: the policy without θ, its running statistics with all rows so far. It takes effect with the step,
      for U must stay the same function until then.
    """

    opt: PyTree
    displacements: Float[Array, "M W"]
    plus: Float[Array, "K M"]
    minus: Float[Array, "K M"]
    done: Int[Array, ""]
    statistics: PyTree


class ZerothOrder(eqx.Module):
    """Perturb θ, one perturbation an environment; estimate ĝ from the returns; improve the objective θ ↦ ĝᵀθ.

    μ is a population of N policies. An estimate that takes more directions than N environments can try accumulates
    over iterations, and the step is taken when it is complete.

    - `estimator`: `FiniteDifference`, `Regression`, `EvolutionStrategies` or `ARS`.
    - `update`: how ĝᵀθ is improved: any update.
    - `population`: N, the number of environments.
    - `pairing`: what each perturbation is compared with: `central_differences`, θ + Δ with θ − Δ; or
      `forward_differences`, with θ.
    - `acting`: how the members act: `Greedy`, the mode, as evaluations do and the literature on random search does (U
      is then that of the deterministic policy); or `sampled`, for the U(θ) of the stochastic policy.
    - `gamma`: γ ∈ [0, 1] of U = E Σ_t γ^t r_t.
    - `collect`: whole episodes. `episodes_per_env` of them make K returns a member; `group` says who shares random
      numbers: 2 for pairs, N for everyone, 1 for nobody.

    Raises LogpiError for a population that the pairing cannot use.
    """

    estimator: Estimator
    update: Update
    population: int = eqx.field(static=True)
    pairing: Callable[[int], PopulationLayout] = eqx.field(static=True, default=central_differences)
    acting: Callable[[PyTree], PyTree] = eqx.field(static=True, default=Greedy)
    gamma: Number = 1.0
    collect: Episodes = eqx.field(static=True, default=Episodes(group=2))

    def __check_init__(self) -> None:
        """Refuse a population that does not fit."""
        self._layout()

    @property
    def num_envs_required(self) -> int:
        """N: each member of the population acts in an environment of its own."""
        return self.population

    @property
    def critic_kind(self) -> None:
        """None: returns alone say what the gradient is."""
        return None

    @property
    def learns_separately(self) -> bool:
        """False: there is no critic."""
        return False

    def init(self, policy: PyTree, critic: PyTree = None) -> State:
        """The learner before any experience."""
        theta = ravel(policy)[0]
        at_once, total = len(self._layout().plus), self._total(theta.size)
        room = -(-total // at_once) * at_once
        shape = jax.eval_shape(self.estimator.keep, jnp.zeros((at_once, theta.size))).shape
        returns = jnp.zeros((self.collect.episodes_per_env, room))
        waiting = Accumulated(
            self.update.init(policy),
            jnp.zeros((room, *shape[1:])),
            returns,
            returns,
            jnp.int32(0),
            trainable(policy)[1],
        )
        return State(policy, critic, waiting, ())

    def at(self, progress: Any) -> "ZerothOrder":
        """The algorithm with its schedules at a share `progress` ∈ [0, 1] of the run's steps."""
        return resolve(self, progress)

    def behavior(self, state: State, key: Key[Array, ""]) -> Behavior:
        """The population μ: θ moved by the directions that are next."""
        theta, rest = trainable(state.policy)
        vector, unravel = ravel_pytree(theta)
        layout = self._layout()
        index = state.opt.done + jnp.arange(len(layout.plus), dtype=jnp.int32)
        moves = self.estimator.directions(key, vector.size, index)[layout.row]
        members = vector[None] + jnp.asarray(layout.offset, vector.dtype)[:, None] * moves
        return Behavior(self.acting(eqx.combine(jax.vmap(unravel)(members), rest)), per_environment=True)

    def learn(self, state: State, mu: Behavior, tau: Trajectory, key: Key[Array, ""]) -> tuple[State, Info]:
        """One iteration of learning: (state, μ, τ, key) → (state', figures)."""
        waiting = self._remember(state, mu, tau)
        total = self._total(ravel(state.policy)[0].size)
        complete = waiting.done >= total
        gradient, variance, info = self.estimator(
            waiting.displacements[:total], waiting.plus[:, :total], waiting.minus[:, :total], self._layout().separation
        )
        batch = _batch(state.policy, tau)
        policy, opt, figures = self.update(LinearObjective(gradient), state.policy, batch, state.opt.opt, key)
        renewed = eqx.combine(trainable(policy)[0], waiting.statistics)
        done = Accumulated(opt, waiting.displacements, waiting.plus, waiting.minus, jnp.int32(0), waiting.statistics)
        error = jnp.sqrt(jnp.sum(variance))
        info = info | figures | {"standard_error": error, "signal_to_noise": jnp.linalg.norm(gradient) / error}
        info = {name: jnp.where(complete, x, jnp.nan) for name, x in info.items()}
        stepped, renewed = (select(complete, new, state.policy) for new in (policy, renewed))
        info |= _figures(stepped, renewed, batch) | {"directions": jnp.minimum(waiting.done, total).astype(float)}
        return State(renewed, state.critic, select(complete, done, waiting), state.critic_opt), info

    def estimate(self, mu: Behavior, returns: Float[Array, "K N"]) -> Estimate:
        """(ĝ, its variance, figures) of one population alone, from K returns of each member."""
        return self.estimator(*self._sides(mu, returns), self._layout().separation)

    def _layout(self) -> PopulationLayout:
        return self.pairing(self.population)

    def _total(self, size: int) -> int:
        """How many directions make an estimate."""
        return self.estimator.count(size, len(self._layout().plus))

    def _remember(self, state: State, mu: Behavior, tau: Trajectory) -> Accumulated:
        """What is known after this rollout."""
        old = state.opt
        phi, target = TotalReturn(self.gamma)(state, tau)
        kept, plus, minus = self._sides(mu, phi[0].reshape(-1, self.population))  # column e · N + i: i's episode e
        put = lambda buffer, x, axis: lax.dynamic_update_slice_in_dim(buffer, x, old.done, axis)
        rows = lambda x: x.reshape(-1, *x.shape[2:])
        return Accumulated(
            old.opt,
            put(old.displacements, kept, 0),
            put(old.plus, plus, 1),
            put(old.minus, minus, 1),
            old.done + jnp.int32(len(kept)),
            update_statistics(old.statistics, jax.tree.map(rows, tau.obs), rows(target), rows(tau.valid)),
        )

    def _sides(self, mu: Behavior, returns: Float[Array, "K N"]) -> tuple[Array, Array, Array]:
        """(what is kept of the displacements, returns on both sides). Displacements are read from μ, as were tried."""
        layout = self._layout()
        members = rows_of(mu)
        moved = (members[layout.plus] - members[layout.minus]) / layout.separation
        return self.estimator.keep(moved), returns[:, layout.plus], returns[:, layout.minus]


def rows_of(mu: Behavior) -> Float[Array, "N P"]:
    """θ of each member of a population."""
    return jax.vmap(lambda theta: ravel_pytree(theta)[0])(trainable(mu.policy)[0])


def _batch(policy: PyTree, tau: Trajectory) -> Batch:
    """The rows of the rollout, for updates that measure how far the policy moves, and for figures."""
    nothing = jnp.zeros_like(tau.reward)
    old = evaluate_policy(policy, tau)
    scale = jnp.maximum(jnp.sum(jnp.any(tau.valid, axis=0), dtype=float), 1)
    return flatten_rows(Batch(tau.obs, tau.action, tau.log_prob, nothing, nothing, tau.valid, old, scale))


def _figures(stepped: PyTree, renewed: PyTree, batch: Batch) -> Info:
    """How far the step moved the policy, and how far its statistics did."""
    after = evaluate_policy(stepped, batch)
    return {
        "kl": mean(batch.old.kl(after), batch),
        "entropy": mean(after.entropy(), batch),
        "statistics_kl": mean(after.kl(evaluate_policy(renewed, batch)), batch),
    }
