"""Bias, variance, signal-to-noise and cosine of estimates, each with its error."""

from typing import NamedTuple

import numpy as np
from scipy import stats

ENOUGH = 10  # batches a parameter, for a covariance that a test can rest on
EVENTS = 100  # that a direction must rest on, for its mean to be normal


class Reference(NamedTuple):
    """What estimates are held against.

    - `gradient`: ∇J, exact or from a large sample.
    - `direction`: a unit vector that does not depend on the errors of `gradient`: bias is looked for along it.
    - `error`: the standard error of `gradient` along it; 0 where it is exact.
    """

    gradient: np.ndarray
    direction: np.ndarray
    error: float = 0.0


class Figures(NamedTuple):
    """What M estimates say of their estimator. Biases are in units of ‖∇J‖.

    - `bias`, `bias_error`: of the mean, along ∇J, and its standard error.
    - `z`: how many standard errors the mean is off its exact value along ∇J; off ∇J itself where that is not known.
    - `p`: of Hotelling's T², all coordinates at once; None where the exact mean is not known or batches are too few.
    - `variance`, `variance_low`, `variance_high`: tr Cov ĝ of one batch, and its 95 % interval by the jackknife.
    - `signal_to_noise`: ‖E ĝ‖ / √tr Cov ĝ.
    - `cosine`, `cosine_error`: the mean of cos(ĝ, ∇J) over batches, and its standard error.
    """

    bias: float
    bias_error: float
    z: float
    p: float | None
    variance: float
    variance_low: float
    variance_high: float
    signal_to_noise: float
    cosine: float
    cosine_error: float


def exactly(gradient: np.ndarray) -> Reference:
    """An exact gradient as reference."""
    return Reference(gradient, gradient / np.linalg.norm(gradient))


def sampled(estimates: np.ndarray) -> Reference:
    """Many estimates as reference: one half of them says in which direction, the other how much."""
    half = len(estimates) // 2
    direction = estimates[:half].mean(axis=0)
    direction = direction / np.linalg.norm(direction)
    along = estimates[half:] @ direction
    error = float(along.std(ddof=1) / np.sqrt(len(along)))
    return Reference(estimates[half:].mean(axis=0), direction, error)


def figures(
    estimates: np.ndarray,
    reference: Reference,
    expected: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> Figures:
    """What estimates [M, P] say, given ∇J and, where it is known, the exact mean [P] of the estimator.

    `given` [M, P] is what each estimate is when all but part of its randomness is averaged: the noise of that part is
    then taken out of bias, z and p, and stays in the variance.
    """
    target = reference.gradient if expected is None else expected
    centered = estimates if given is None else estimates - given + target
    length = float(reference.gradient @ reference.direction)
    along = centered @ reference.direction
    rounding = 1e-6 * (np.linalg.norm(target) + length)
    error = max(float(along.std(ddof=1)) / np.sqrt(len(along)), rounding)
    total = float(np.hypot(error, reference.error))
    off = float(along.mean() - target @ reference.direction)
    cosine = cosines(estimates, reference.gradient)
    low, variance, high = spread(estimates)
    mean = estimates.mean(axis=0)
    signal = max(float(mean @ mean) - variance / len(estimates), 0.0)
    return Figures(
        bias=float(along.mean()) / length - 1,
        bias_error=total / length,
        z=off / (error if expected is not None else total),
        p=None if expected is None else all_at_once(centered, target),
        variance=variance,
        variance_low=low,
        variance_high=high,
        signal_to_noise=float(np.sqrt(signal / variance)) if variance > 0 else float("inf"),
        cosine=float(cosine.mean()),
        cosine_error=float(cosine.std(ddof=1) / np.sqrt(len(cosine))),
    )


def spread(estimates: np.ndarray) -> tuple[float, float, float]:
    """(low, tr Cov ĝ, high): 95 % by the jackknife."""
    return _interval(*_variances(estimates))


def share(estimates: np.ndarray, whole: np.ndarray) -> tuple[float, float, float]:
    """(low, tr Cov ĝ / tr Cov ĝ', high): 95 % by the jackknife, which leaves a batch out of both at once.

    What the two make of one batch goes together, and with it much of the noise of either variance.
    """
    (above, each_above), (below, each_below) = _variances(estimates), _variances(whole)
    return _interval(above / below, each_above / each_below)


def _variances(estimates: np.ndarray) -> tuple[float, np.ndarray]:
    """(V = tr Cov ĝ, V without each estimate, [M]), which has a closed form.

    Without estimate i, (M − 2) V_i = (M − 1) V − M d_i / (M − 1), d_i = ‖ĝ_i − ḡ‖².
    """
    number = len(estimates)
    away = np.sum((estimates - estimates.mean(axis=0)) ** 2, axis=1)
    variance = float(away.sum() / (number - 1))
    return variance, ((number - 1) * variance - number * away / (number - 1)) / (number - 2)


def _interval(value: float, without: np.ndarray) -> tuple[float, float, float]:
    """(low, value, high) of what is not negative, from its values without each of M estimates."""
    number = len(without)
    error = float(np.sqrt((number - 1) / number * np.sum((without - without.mean()) ** 2)))
    return max(value - 1.96 * error, 0.0), value, value + 1.96 * error


def cosines(estimates: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """cos(ĝ, ∇J) of every batch; 0 where ĝ is 0."""
    norms = np.linalg.norm(estimates, axis=1) * np.linalg.norm(gradient)
    return estimates @ gradient / np.where(norms > 0, norms, 1)


def all_at_once(estimates: np.ndarray, target: np.ndarray) -> float | None:
    """The p-value of Hotelling's T²: all coordinates of the mean, by their own covariance; None for too few batches.

    Directions in which next to nothing varies are left out, and those in which a few batches hold most of what does:
    (Σx²)² / Σx⁴ of M normal numbers is M/3, of an event seen n times about n. For many batches T² is χ².
    """
    number, size = estimates.shape
    if number < ENOUGH * size:
        return None
    centered = estimates - estimates.mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered / (number - 1))
    rows = centered @ vectors
    events = np.sum(rows**2, axis=0) ** 2 / np.maximum(np.sum(rows**4, axis=0), 1e-300)
    kept = (values > 1e-8 * values.max()) & (events > EVENTS)
    if not kept.any():
        return None
    off, count = (vectors.T @ (estimates.mean(axis=0) - target))[kept], int(kept.sum())
    square = number * np.sum(off**2 / values[kept])
    return float(stats.f.sf(square * (number - count) / (count * (number - 1)), count, number - count))
