"""Measurement of estimators with their compatible baselines on the same batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import Array, Key, PyTree

from logpi.core.keys import root_key
from logpi.core.seeds import read_seed
from logpi.environments.source import EnvironmentSource
from logpi.errors import LogpiError
from logpi.lab.baselines import BASELINES
from logpi.lab.estimators import ESTIMATORS
from logpi.lab.expectation import EpisodeTable, Mean
from logpi.lab.method import Method
from logpi.lab.perturbed import PERTURBED, sample
from logpi.lab.problem import Problem, exact_gradient, problem
from logpi.lab.sampling import Sample, episodes, estimates
from logpi.lab.statistics import Reference, exactly, figures, sampled
from logpi.oracle.mdp import MDP
from logpi.oracle.pomdp import POMDP

NAMES = ESTIMATORS | PERTURBED

DEFAULT_ESTIMATORS = ("total-return", "reward-to-go")
DEFAULT_BASELINES = ("none", "mean", "leave-one-out", "value", "optimal")
REFERENCE = ("reward-to-go", "leave-one-out")


@dataclass(frozen=True)
class Measurement:
    """Measurement of one estimator with one baseline on M batches. Biases in units of ‖∇J‖, costs per batch.

    - `bias`, `bias_error`: of the sampled mean along ∇J, and its standard error.
    - `exact_bias`: of the exact mean, along ∇J; `exact_bias_norm`: ‖E ĝ − ∇J‖ / ‖∇J‖. None without an oracle.
    - `z`: standard errors between the sampled and the exact mean (the reference, without an oracle), along ∇J.
    - `p`: of Hotelling's T² over all coordinates; None without an oracle, or for too few batches.
    - `variance`, `variance_low`, `variance_high`: tr Cov ĝ, with a 95 % jackknife interval; `exact_variance` where
      ĝ is a mean over independent episodes.
    - `signal_to_noise`: ‖E ĝ‖ / √tr Cov ĝ. `cosine`, `cosine_error`: mean cos(ĝ, ∇J) and its standard error.
    - `steps`: environment steps; `seconds`: to collect them and to compute ĝ, compiled, many batches at once.
    """

    estimator: str
    baseline: str
    about: str
    batches: int
    batch: int
    bias: float
    bias_error: float
    exact_bias: float | None
    exact_bias_norm: float | None
    z: float
    p: float | None
    variance: float
    variance_low: float
    variance_high: float
    exact_variance: float | None
    signal_to_noise: float
    cosine: float
    cosine_error: float
    steps: float
    seconds: float


def measure(
    env: EnvironmentSource | MDP | POMDP | Problem,
    *,
    policy: PyTree = None,
    estimators: Sequence[str] = DEFAULT_ESTIMATORS,
    baselines: Sequence[str] = DEFAULT_BASELINES,
    batch: int = 8,
    batches: int = 2000,
    reference: int = 4000,
    seed: int | None = 0,
) -> list[Measurement]:
    """Measure bias, variance, signal-to-noise, direction and cost of estimators of ∇J, all from the same episodes.

    - `env`: anything that `make` accepts, an `MDP`, a `POMDP` or a `Problem`. With an oracle (`tabular:…`, `pomdp:…`,
      an MDP, a POMDP) ∇J and the estimators' means are exact; else ∇J comes from a large sample.
    - `policy`: π; by default random.
    - `estimators`, `baselines`: names; incompatible pairs are skipped, and without an oracle estimators that perturb θ.
    - `batch`: m ≥ 1, episodes per batch. `batches`: M ≥ 3.
    - `reference`: episodes for estimating ∇J if there is no oracle, ≥ 8 m.

    Raises LogpiError for unknown names, and if no pair can be measured.

        >>> import logpi
        >>> rows = logpi.measure("tabular:two-state", estimators=["reward-to-go"], baselines=["none"], batches=50)
        >>> rows[0].estimator, abs(rows[0].exact_bias_norm) < 1e-5
        ('reward-to-go', True)
    """
    for name, value, least in (("batch", batch, 1), ("batches", batches, 3), ("reference", reference, 8 * batch)):
        if value < least:
            raise LogpiError(f"{name} is {value}; allowed: a whole number ≥ {least}")
    pairs, seed = compatible_pairs(estimators, baselines), read_seed(seed)
    world = env if isinstance(env, Problem) else problem(env, policy, seed=seed)
    pairs = [pair for pair in pairs if _missing_requirement(world, *pair) is None]
    if not pairs:
        missing = _missing_requirement(world, *compatible_pairs(estimators, baselines)[0])
        raise LogpiError(f"{world.name} comes without the {missing} that {', '.join(estimators)} would need")
    return list(_measured(world, pairs, (batch, batches, reference), seed))


def compatible_pairs(estimators: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    """List the compatible pairs (estimator, baseline), in the lists' order. Raises LogpiError if there is none."""
    for kind, names, known in (("estimator", estimators, NAMES), ("baseline", baselines, BASELINES)):
        for name in names:
            if name not in known:
                raise LogpiError(f"unknown {kind} {name}; allowed: {', '.join(known)}")
    pairs = [(e, b) for e in estimators for b in baselines if b in NAMES[e].baselines]
    if not pairs:
        fits = sorted({b for e in estimators for b in NAMES[e].baselines}, key=list(BASELINES).index)
        raise LogpiError(f"{', '.join(estimators)} with {', '.join(baselines)} is nothing; allowed: {', '.join(fits)}")
    return pairs


def method(world: Problem, name: str, baseline: str) -> Method:
    """Compose an estimator with a baseline for a problem."""
    estimator, less = ESTIMATORS[name], BASELINES[baseline]
    credit = estimator.credit(world.gamma, world.critics)
    credit = credit if less.subtract is None else credit - less.subtract
    return Method(
        name=f"{name} − {baseline}",
        credit=estimator.factor(credit, world.gamma),
        objective=less.objective or estimator.objective,
        critic=_critic(name, baseline),
        off_policy=estimator.off_policy,
    )


def _critic(name: str, baseline: str) -> str | None:
    return ESTIMATORS[name].critic or BASELINES[baseline].critic


def _missing_requirement(world: Problem, name: str, baseline: str) -> str | None:
    """Name a requirement of the pair that the problem lacks: "oracle", "critic" or None."""
    if name in PERTURBED:
        return "oracle" if world.timeless is None else None
    critic = _critic(name, baseline)
    return "critic" if critic is not None and critic not in world.critics else None


def _measured(
    world: Problem, pairs: list[tuple[str, str]], sizes: tuple[int, int, int], seed: int
) -> Iterator[Measurement]:
    """Measure every pair; `sizes` are (m, M, reference episodes)."""
    m, number, _ = sizes
    k_reference, *keys, k_perturbed = jr.split(root_key(seed + 1), 4)
    target = _reference(world, sizes, k_reference)
    scored = _scored(world, m, number, keys)
    for name, baseline in pairs:
        one = sample(world, name, m, number, k_perturbed) if name in PERTURBED else scored(name, baseline)
        yield Measurement(
            estimator=name,
            baseline=baseline,
            about=NAMES[name].about,
            batches=number,
            batch=m,
            **_biases(one.mean, target),
            **figures(one.estimates, target, None if one.mean is None else one.mean.value, one.given)._asdict(),
            steps=one.steps / number,
            seconds=one.seconds / number,
        )


def _scored(world: Problem, m: int, number: int, keys: Sequence[Any]) -> Callable[[str, str], Sample]:
    """Make the function (estimator, baseline) ↦ `Sample`; episodes are collected once per acting policy."""
    listed = None if world.listed is None else EpisodeTable(world)
    played = {}

    def scored(name: str, baseline: str) -> Sample:
        one = method(world, name, baseline)
        if one.off_policy not in played:
            played[one.off_policy] = episodes(world, world.acting(one.off_policy), m * number, keys[one.off_policy])
        tau, playing = played[one.off_policy]
        found, computing = estimates(one, world.state(one.critic), tau, m)
        mean = None if listed is None else _mean(listed, one, name, baseline, m)
        return Sample(found, float(np.sum(tau.valid)), playing + computing, mean)

    return scored


def _reference(world: Problem, sizes: tuple[int, int, int], key: Key[Array, ""]) -> Reference:
    """Compute ∇J: exactly from the oracle, else from a large sample."""
    if world.mdp is not None:
        return exactly(np.asarray(exact_gradient(world), np.float64))
    m, _, size = sizes
    one = method(world, *REFERENCE)
    tau, _ = episodes(world, world.policy, size // m * m, key)
    found = sampled(estimates(one, world.state(None), tau, m)[0])
    length = float(found.gradient @ found.direction)
    if length < 2 * found.error:
        raise LogpiError(
            f"reference is {size}, from which ‖∇J‖ is {length:.3g} ± {found.error:.2g}, too uncertain to measure bias"
            " against; allowed: more episodes, until it is known"
        )
    return found


def _mean(listed: EpisodeTable, one: Method, name: str, baseline: str, m: int) -> Mean:
    """Compute the exact mean by the baseline's rule, or by the estimator's own."""
    rule = BASELINES[baseline].rule or ESTIMATORS[name].rule
    return rule(listed, one, method(listed.problem, name, "none"), m)


def _biases(mean: Mean | None, target: Reference) -> dict[str, float | None]:
    """Bias and variance of the exact mean, as fields of `Measurement`."""
    if mean is None:
        return {"exact_bias": None, "exact_bias_norm": None, "exact_variance": None}
    length, off = float(np.linalg.norm(target.gradient)), mean.value - target.gradient
    return {
        "exact_bias": float(off @ target.direction) / length,
        "exact_bias_norm": float(np.linalg.norm(off)) / length,
        "exact_variance": mean.variance,
    }
