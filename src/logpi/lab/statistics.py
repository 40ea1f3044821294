"""Bias, variance, signal-to-noise ratio and cosine of estimates, each with its standard error."""

from typing import NamedTuple

import numpy as np
from scipy import stats

ENOUGH = 10  # batches per parameter needed for the covariance in Hotelling's test
EVENTS = 100  # effective events per direction needed for a normal mean


class Reference(NamedTuple):
    """Reference gradient that estimates are compared with.

    - `gradient`: ∇J, exact or from a large sample.
    - `direction`: a unit vector independent of the errors of `gradient`; bias is measured along it.
    - `error`: standard error of `gradient` along `direction`; 0 if exact.
    """

    gradient: np.ndarray
    direction: np.ndarray
    error: float = 0.0


class Figures(NamedTuple):
    """Statistics of an estimator from M estimates. Biases in units of ‖∇J‖.

    - `bias`, `bias_error`: of the mean, along ∇J, and its standard error.
    - `z`: deviation of the mean from its exact value (from ∇J, if that is unknown) along ∇J, in standard errors.
    - `p`: of Hotelling's T² over all coordinates; None if the exact mean is unknown or batches are too few.
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
    """Make a reference from an exact gradient."""
    return Reference(gradient, gradient / np.linalg.norm(gradient))


def sampled(estimates: np.ndarray) -> Reference:
    """Make a reference from many estimates: one half gives the direction, the other the value."""
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
    """Compute statistics of estimates [M, P], given ∇J and, if known, the exact mean [P] of the estimator.

    - `given`: conditional expectation of each estimate given part of its randomness, [M, P]. It serves as a control
      variate: the noise of that part is removed from bias, z and p, and stays in the variance.
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
    """Compute (low, tr Cov ĝ, high), a 95 % interval by the jackknife."""
    return _interval(*_variances(estimates))


def share(estimates: np.ndarray, whole: np.ndarray) -> tuple[float, float, float]:
    """Compute (low, tr Cov ĝ / tr Cov ĝ', high), a 95 % interval by the jackknife, leaving each batch out of both.

    Both estimates of a batch are correlated, so much of the noise of the two variances cancels in the ratio.
    """
    (above, each_above), (below, each_below) = _variances(estimates), _variances(whole)
    return _interval(above / below, each_above / each_below)


def _variances(estimates: np.ndarray) -> tuple[float, np.ndarray]:
    """Compute (V = tr Cov ĝ, leave-one-out V_i [M]) in closed form.

    Without estimate i, (M − 2) V_i = (M − 1) V − M d_i / (M − 1), d_i = ‖ĝ_i − ḡ‖².
    """
    number = len(estimates)
    squares = np.sum((estimates - estimates.mean(axis=0)) ** 2, axis=1)
    variance = float(squares.sum() / (number - 1))
    return variance, ((number - 1) * variance - number * squares / (number - 1)) / (number - 2)


def _interval(value: float, without: np.ndarray) -> tuple[float, float, float]:
    """Compute (low, value, high) of a nonnegative statistic from its M leave-one-out values, by the jackknife."""
    number = len(without)
    error = float(np.sqrt((number - 1) / number * np.sum((without - without.mean()) ** 2)))
    return max(value - 1.96 * error, 0.0), value, value + 1.96 * error


def cosines(estimates: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Compute cos(ĝ, ∇J) of every batch; 0 if ĝ = 0."""
    norms = np.linalg.norm(estimates, axis=1) * np.linalg.norm(gradient)
    return estimates @ gradient / np.where(norms > 0, norms, 1)


def all_at_once(estimates: np.ndarray, target: np.ndarray) -> float | None:
    """Compute the p-value of Hotelling's T² for the mean of all coordinates; None for too few batches.

    Principal directions with negligible variance are left out, and those whose variance comes from a few batches:
    (Σx²)² / Σx⁴ is M/3 for M normal numbers, and about n for an event seen n times. For many batches T² is χ².
    """
    number, size = estimates.shape
    if number < ENOUGH * size:
        return None
    centered = estimates - estimates.mean(axis=0)
    values, vectors = np.linalg.eigh(centered.T @ centered / (number - 1))
    rows = centered @ vectors
    events = np.sum(rows**2, axis=0) ** 2 / np.maximum(np.sum(rows**4, axis=0), 1e-300)
    selected = (values > 1e-8 * values.max()) & (events > EVENTS)
    if not selected.any():
        return None
    off, count = (vectors.T @ (estimates.mean(axis=0) - target))[selected], int(selected.sum())
    square = number * np.sum(off**2 / values[selected])
    return float(stats.f.sf(square * (number - count) / (count * (number - 1)), count, number - count))
