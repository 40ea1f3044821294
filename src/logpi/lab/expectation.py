"""The exact mean of an estimator over batches of m episodes, from a list of all the episodes there are.

An estimator that is a mean over episodes has the mean of one episode. What ties a batch's episodes together (a
baseline estimated from it, weights divided by their mean) has its own rule; each is exact for every m.
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

CHUNK = 256


class Mean(NamedTuple):
    """E ĝ and, where ĝ is a mean over independent episodes, tr Cov ĝ."""

    value: np.ndarray
    variance: float | None = None


Rule = Callable[["EpisodeTable", Method, Method, int], Mean]
"""(all episodes, the method, the same without its baseline, m) ↦ the exact mean over batches of m."""


class EpisodeTable:
    """All episodes of a problem, by the policy itself and by the other one, with their probabilities."""

    def __init__(self, problem: Problem):
        """Raises LogpiError where they cannot be listed."""
        self.problem = problem
        self._episodes: dict[bool, tuple[Trajectory, np.ndarray]] = {}
        self._known: dict[str, np.ndarray] = {}

    def episodes(self, off_policy: bool) -> tuple[Trajectory, np.ndarray]:
        """(one episode a column, how probable each is under the policy that acts)."""
        if off_policy not in self._episodes:
            mdp, mu = self.problem.listed, self.problem.acting(off_policy)
            assert mdp is not None
            tau = mdp.trajectories(mu)
            chance = np.exp(np.asarray(mdp.log_probability(mu, tau), np.float64))
            self._episodes[off_policy] = tau, chance / chance.sum()
        return self._episodes[off_policy]

    def estimates(self, method: Method) -> np.ndarray:
        """ĝ of every episode alone, [K, P]."""
        if method.name not in self._known:
            tau = self.episodes(method.off_policy)[0]
            found = alone(method, self.problem.state(method.critic), tau)
            self._known[method.name] = np.asarray(found, np.float64)
        return self._known[method.name]

    def chance(self, method: Method) -> np.ndarray:
        """How probable every episode is, [K]."""
        return self.episodes(method.off_policy)[1]


def alone(method: Method, state: State, tau: Trajectory) -> Float[Array, "K P"]:
    """ĝ of every column as a batch of its own."""
    columns = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0)[:, :, None], tau)

    def every(state: State, columns: Trajectory) -> tuple[tuple, Array]:
        return (), lax.map(lambda column: method(state, column), columns, batch_size=CHUNK)

    return aot_compile(every, state, columns)(state, columns)[1]


def additive(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """E ĝ of one episode; tr Cov of one, over m. For estimators that are means over episodes."""
    del plain
    g, chance = listed.estimates(method), listed.chance(method)
    mean = chance @ g
    return Mean(mean, float(chance @ np.sum((g - mean) ** 2, axis=1)) / m)


def leave_one_out_mean(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """E ĝ without the baseline: b_i does not depend on episode i, whose scores have mean 0."""
    del method, m
    return Mean(listed.chance(plain) @ listed.estimates(plain))


def self_inclusive_mean(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """(1 − 1/m) E ĝ without the baseline + (1/m) E ĝ of an episode whose baseline is its own mean credit.

    b = (1/m) Σ_j f(τ_j), and of these only f(τ_i) depends on episode i.
    """
    chance = listed.chance(plain)
    without, with_its_own = chance @ listed.estimates(plain), chance @ listed.estimates(method)
    return Mean(without + (with_its_own - without) / m)


def per_time_mean(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
    """E Σ_t (1 − 1/N_t) ∇log π_t Φ_t, N_t − 1 ~ Binomial(m − 1, p_t), p_t the share of episodes that last beyond t.

    N_t is known before a_t, so credit of the others adds nothing; E 1/N_t = (1 − (1 − p_t)^m) / (m p_t).
    """
    del method
    tau, chance = listed.episodes(plain.off_policy)
    lasting = np.asarray(tau.valid) @ chance
    there = np.where(lasting > 0, lasting, 1)
    share = 1 - (1 - (1 - there) ** m) / (m * there)
    shrunk = dataclasses.replace(plain, credit=ScaledByTime(plain.credit, jnp.asarray(share, float)))
    g = alone(shrunk, listed.problem.state(plain.critic), tau)
    return Mean(chance @ np.asarray(g, np.float64))


class ScaledByTime(Credit):
    """Φ_t ↦ c_t Φ_t."""

    credit: Credit
    share: Float[Array, " T"]

    def __call__(self, state: State, tau: Trajectory) -> tuple[Float[Array, "T N"], Float[Array, "T N"]]:
        """The credit times its time's share."""
        phi, target = self.credit(state, tau)
        return phi * self.share[:, None], target


def normalized(unnormalized: Objective) -> Rule:
    """The rule for weights of whole episodes divided by their mean, given the objective with the weights as they are.

    E Σ_i w_i g_i / Σ_j w_j = m ∫_0^∞ E[w g e^{−uw}] (E e^{−uw})^{m−1} du, since 1/x = ∫ e^{−ux} du.
    """

    def rule(listed: EpisodeTable, method: Method, plain: Method, m: int) -> Mean:
        del plain
        as_they_are = dataclasses.replace(method, name=f"{method.name}, as they are", objective=unnormalized)
        weighted = listed.estimates(as_they_are)
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
