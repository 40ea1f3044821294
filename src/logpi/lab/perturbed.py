"""Estimators of ∇J from the returns of perturbed policies, by name; their batches are populations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Key, PyTree

from logpi.core.collection import Episodes
from logpi.core.compilation import aot_compile
from logpi.credit.total_return import TotalReturn
from logpi.environments.protocol import Environment
from logpi.environments.tasks.tabular import Tabular
from logpi.environments.vmap import Vmap
from logpi.lab.expectation import Mean
from logpi.lab.problem import Problem, exact_gradient
from logpi.lab.sampling import ROWS_AT_ONCE, Sample, timed
from logpi.oracle.mdp import MDP
from logpi.perturbation.differences import PopulationLayout, central_differences, forward_differences
from logpi.perturbation.evolution import EvolutionStrategies
from logpi.perturbation.finite_difference import FiniteDifference
from logpi.perturbation.protocol import Estimator
from logpi.perturbation.regression import Regression
from logpi.perturbation.zeroth_order import ZerothOrder, member_parameters
from logpi.policies.behavior import Behavior, sampled
from logpi.rollout import device
from logpi.types import State, ravel, trainable
from logpi.updates.ascent import Ascent

STEP = 0.5  # δ and σ


@dataclass(frozen=True)
class Perturbed:
    """An estimator of ∇J from one episode of each member of a population.

    - `about`: its formula.
    - `estimator`: directions, and ĝ from their returns; linear in the returns.
    - `pairing`: the perturbation or center that each one is compared with; compared members share random numbers.
    - `directions`: (P, m) ↦ number of directions, for P coordinates and batches of m episodes.
    - `drawn`: True if directions are random, redrawn for every estimate.
    - `baselines`: compatible baselines; none.
    """

    about: str
    estimator: Estimator
    pairing: Callable[[int], PopulationLayout]
    directions: Callable[[int, int], int]
    drawn: bool = True
    baselines: tuple[str, ...] = ("none",)

    def method(self, world: Problem, m: int) -> ZerothOrder:
        """Make the library's `ZerothOrder` with all directions in one population of stochastic policies."""
        number = self.directions(ravel(world.policy)[0].size, m)
        members = 2 * number if self.pairing is central_differences else number + 1
        collect = Episodes(group=2 if self.pairing is central_differences else members)
        ascent = Ascent(optax.sgd, 1.0)
        return ZerothOrder(self.estimator, ascent, members, self.pairing, sampled, world.gamma, collect)


p_directions = lambda size, m: size
two_p_directions = lambda size, m: 2 * size
half_batch = lambda size, m: -(-m // 2)

PERTURBED: dict[str, Perturbed] = {
    "finite-difference-forward": Perturbed(
        "[U(θ + δe_j) − U(θ)] / δ, δ = ½", FiniteDifference(STEP), forward_differences, p_directions, False
    ),
    "finite-difference-central": Perturbed(
        "[U(θ + δe_j) − U(θ − δe_j)] / 2δ, δ = ½", FiniteDifference(STEP), central_differences, p_directions, False
    ),
    "regression": Perturbed(
        "argmin_g Σ (U(θ + Δ) − U(θ) − gᵀΔ)², 2P of Δ ~ N(0, ¼I)",
        Regression(STEP),
        forward_differences,
        two_p_directions,
    ),
    "regression-antithetic": Perturbed(
        "argmin_g Σ ([U(θ + Δ) − U(θ − Δ)]/2 − gᵀΔ)², 2P of Δ ~ N(0, ¼I)",
        Regression(STEP),
        central_differences,
        two_p_directions,
    ),
    "evolution-strategies": Perturbed(
        "mean of [U(θ + σε) − U(θ − σε)] ε / 2σ, σ = ½", EvolutionStrategies(STEP), central_differences, half_batch
    ),
}


def sample(world: Problem, name: str, m: int, number: int, key: Key[Array, ""]) -> Sample:
    """Compute `number` estimates, their exact mean, and each estimate with exact U in place of sampled returns."""
    mdp, policy = world.timeless, world.policy.network
    assert mdp is not None and mdp.horizon is not None
    drawn, method, gradient = PERTURBED[name].drawn, PERTURBED[name].method(world, m), exact_gradient(world)
    environment = Vmap(Tabular(mdp), method.population, mdp.horizon, world.name)
    rows, keys = method.population * mdp.horizon, jr.split(key, number)

    def play(environment: Environment, policy: PyTree, key: Key[Array, ""]) -> tuple[Array, Array]:
        return _played(method, environment, policy, key)

    def known(policy: PyTree, gradient: Array, key: Key[Array, ""]) -> tuple[Array, Array]:
        return _known(method, mdp, policy, gradient, key)

    (found, steps), seconds = _each(play, rows, keys, environment, policy)
    exact, bent = _each(known, rows, keys if drawn else keys[:1], policy, gradient)[0]
    found, exact, bent, known_gradient = (np.asarray(x, np.float64) for x in (found, exact, bent, gradient))
    mean = Mean(known_gradient + bent.mean(axis=0))
    return Sample(found, float(np.sum(steps)), seconds, mean, exact if drawn else None)


def _each(one: Callable[..., Any], rows: int, keys: Key[Array, " M"], *arguments: PyTree) -> tuple[Any, float]:
    """Compute (one(*arguments, key) for every key, seconds), in chunks of at most ROWS_AT_ONCE rows, `rows` per key."""
    chunks = -(-keys.size * rows // ROWS_AT_ONCE)
    width = -(-keys.size // chunks)
    filled = jnp.resize(keys, (chunks, width))  # cyclically padded: chunks of equal size compile once

    def every(keys: Key[Array, "K C"], *arguments: PyTree) -> tuple[tuple, Any]:
        return (), lax.map(jax.vmap(lambda key: one(*arguments, key)), keys)

    answers, seconds = timed(aot_compile(every, filled, *arguments), filled, *arguments)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[: keys.size], answers), seconds


def _population(method: ZerothOrder, policy: PyTree, key: Key[Array, ""]) -> tuple[State, Behavior, Key[Array, ""]]:
    """Make (initial state, its population μ, key of the rollout)."""
    k_mu, k_play = jr.split(key)
    state = method.init(policy)
    return state, method.behavior(state, k_mu), k_play


def _played(method: ZerothOrder, environment: Environment, policy: PyTree, key: Key[Array, ""]) -> tuple[Array, Array]:
    """Compute (ĝ from one episode of each member, their number of steps)."""
    state, mu, k_play = _population(method, policy, key)
    tau = device.rollout(environment, mu, (), k_play, method.collect)[1]
    returns = TotalReturn(method.gamma)(state, tau)[0][:1]
    return method.estimate(mu, returns)[0], jnp.sum(tau.valid, dtype=float)


def _known(
    method: ZerothOrder, mdp: MDP, policy: PyTree, gradient: Float[Array, " P"], key: Key[Array, ""]
) -> tuple[Array, Array]:
    """Compute (ĝ from the exact U of each member, ĝ(U − tangent)).

    With U replaced by its tangent at θ, E ĝ = ∇J. So E ĝ = ∇J + E ĝ(U − tangent), whose samples vary much less than ĝ.
    """
    mu = _population(method, policy, key)[1]
    theta, rest = trainable(mu.policy)
    utility = jax.vmap(lambda theta: mdp.utility(eqx.combine(theta, rest)))(theta)
    tangent = (member_parameters(mu) - ravel(policy)[0][None]) @ gradient
    exact, flat = (method.estimate(mu, values[None])[0] for values in (utility, tangent))
    return exact, exact - flat
