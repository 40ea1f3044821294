"""Exact means of estimators over batches of m episodes, from the list of all episodes.

An estimator that averages over independent episodes has the mean of one episode. Estimators that couple the episodes
of a batch (a baseline estimated from it, weights divided by their mean) have rules of their own, exact for every m.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from logpi.core.compilation import aot_compile
from logpi.credit.base import Credit
from logpi.lab.method import Method
from logpi.lab.problem import Problem
from logpi.objectives.base import Objective
from logpi.types import State, Trajectory

CHUNK = 256  # episodes differentiated at the same time, which bounds memory


class Mean(NamedTuple):
    """Exact E ĝ [P]; and tr Cov ĝ if ĝ averages independent episodes, else None."""

    value: np.ndarray
    variance: float | None = None


Rule = Callable[["EpisodeTable", Method, Method, int], Mean]
"""(table of all episodes, method, the same method without its baseline, m) ↦ exact mean over batches of m episodes."""


class EpisodeTable:
    """All episodes of a problem with their probabilities under π and under μ; computed on demand and cached."""

    def __init__(self, problem: Problem):
        """Make an empty table for a problem with `listed`."""
        self.problem = problem
        self._episodes: dict[bool, tuple[Trajectory, np.ndarray]] = {}
        self._estimates: dict[str, np.ndarray] = {}

    def episodes(self, off_policy: bool) -> tuple[Trajectory, np.ndarray]:
        """(all episodes, one per column; their probabilities under the acting policy, normalized)."""
        if off_policy not in self._episodes:
            mdp, mu = self.problem.listed, self.problem.acting(off_policy)
            assert mdp is not None
            tau = mdp.trajectories(mu)
            chance = np.exp(np.asarray(mdp.log_probability(mu, tau), np.float64))
            self._episodes[off_policy] = tau, chance / chance.sum()
        return self._episodes[off_policy]

    def estimates(self, method: Method) -> np.ndarray:
        """ĝ of every single episode, [K, P]."""
        if method.name not in self._estimates:
            tau = self.episodes(method.off_policy)[0]
            found = single_episode_estimates(method, self.problem.state(method.critic), tau)
            self._estimates[method.name] = np.asarray(found, np.float64)
        return self._estimates[method.name]

    def chance(self, method: Method) -> np.ndarray:
        """Probabilities of all episodes under the acting policy, [K]."""
        return self.episodes(method.off_policy)[1]


def single_episode_estimates(method: Method, state: State, tau: Trajectory) -> Float[Array, "K P"]:
    """Compute ĝ of every column as a batch of one episode, [K, P]."""
    columns = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0)[:, :, None], tau)

    def every(state: State, columns: Trajectory) -> tuple[tuple, Array]:
        return (), lax.map(lambda column: method(state, column), columns, batch_size=CHUNK)

    return aot_compile(every, state, columns)(state, columns)[1]


def additive(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """E ĝ of one episode, and tr Cov of one episode divided by m; for estimators that average over episodes."""
    del plain
    g, chance = listed.estimates(method), listed.chance(method)
    mean = chance @ g
    return Mean(mean, float(chance @ np.sum((g - mean) ** 2, axis=1)) / m)


def leave_one_out_mean(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """E ĝ without the baseline, since b_i is independent of episode i, whose scores have mean 0."""
    del method, m
    return Mean(listed.chance(plain) @ listed.estimates(plain))


def self_inclusive_mean(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """(1 − 1/m) E ĝ without the baseline + (1/m) E ĝ of an episode with its own mean credit as baseline.

    b = (1/m) Σ_j f(τ_j), where only the term f(τ_i) depends on episode i.
    """
    chance = listed.chance(plain)
    without, self_baselined = chance @ listed.estimates(plain), chance @ listed.estimates(method)
    return Mean(without + (self_baselined - without) / m)


def per_time_mean(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """E Σ_t (1 − 1/N_t) ∇log π_t Φ_t, N_t − 1 ~ Binomial(m − 1, p_t), p_t = P(length > t).

    N_t is known before a_t, so the others' credit has no effect on the mean; E 1/N_t = (1 − (1 − p_t)^m) / (m p_t).
    """
    del method
    tau, chance = listed.episodes(plain.off_policy)
    p = np.asarray(tau.valid) @ chance
    positive = np.where(p > 0, p, 1)
    share = 1 - (1 - (1 - positive) ** m) / (m * positive)
    scaled = dataclasses.replace(plain, credit=ScaledByTime(plain.credit, jnp.asarray(share, float)))
    g = single_episode_estimates(scaled, listed.problem.state(plain.critic), tau)
    return Mean(chance @ np.asarray(g, np.float64))


class ScaledByTime(Credit):
    """Φ_t ↦ c_t Φ_t.

    - `credit`: Φ. `share`: c, [T].
    """

    credit: Credit
    share: Float[Array, " T"]

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """Scale the credit; targets stay unchanged."""
        phi, target = self.credit(state, tau)
        return phi * self.share[:, None], target


def normalized(unnormalized: Objective) -> Rule:
    """Make the rule for episode weights divided by their mean, from the objective with unnormalized weights.

    E Σ_i w_i g_i / Σ_j w_j = m ∫_0^∞ E[w g e^{−uw}] (E e^{−uw})^{m−1} du, since 1/x = ∫ e^{−ux} du;
    by Gauss–Legendre quadrature with 400 nodes after the substitution u = x/((1 − x) m).
    """

    def rule(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
        del plain
        raw = dataclasses.replace(method, name=f"{method.name}, unnormalized", objective=unnormalized)
        weighted = listed.estimates(raw)
        tau, chance = listed.episodes(method.off_policy)
        mdp = listed.problem.listed
        assert mdp is not None
        w = np.exp(np.asarray(mdp.log_probability(listed.problem.policy, tau), np.float64)) / chance
        x, dx = np.polynomial.legendre.leggauss(400)
        x, dx = (x + 1) / 2, dx / 2
        u, du = x / (1 - x) / m, dx / (1 - x) ** 2 / m
        damped = np.exp(-u[:, None] * w[None]) * chance[None]
        integrand = (damped @ weighted) * damped.sum(axis=1, keepdims=True) ** (m - 1)
        return Mean(m * du @ integrand)

    return rule
