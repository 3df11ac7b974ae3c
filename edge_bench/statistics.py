"""The numbers of a benchmark, as pure functions of its samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Enough that the ends of a 95 % interval rest on 50 resamples each.
RESAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """Robust summary of samples, in their own unit.

    Attributes:
        median: middle value (mean of the two middle ones).
        mad: median absolute deviation from the median, not scaled.
        p90: 90th percentile, linear between samples.
        minimum: smallest value.
    """

    median: float
    mad: float
    p90: float
    minimum: float


def summarize(samples: Sequence[float]) -> Summary:
    """Summary of at least one sample.

    Raises:
        ValueError: no samples.
    """
    if not len(samples):
        raise ValueError("samples must not be empty")
    values = np.asarray(samples, np.float64)
    median = float(np.median(values))
    return Summary(
        median=median,
        mad=float(np.median(np.abs(values - median))),
        p90=float(np.percentile(values, 90)),
        minimum=float(values.min()),
    )


def median_ratio_interval(
    numerator: Sequence[float],
    denominator: Sequence[float],
    *,
    seed: int,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of ``median(numerator) / median(denominator)``.

    Both sides are resampled independently with replacement (Efron 1979). Samples of a
    benchmark are not quite independent in time, so on a loaded machine the true interval is
    somewhat wider.

    Args:
        numerator: positive samples.
        denominator: positive samples of the same unit.
        seed: of the resampling.
        resamples: number of bootstrap replicates.
        confidence: coverage in (0, 1).

    Returns:
        Lower and upper end.

    Raises:
        ValueError: an empty side.
    """
    if not len(numerator) or not len(denominator):
        raise ValueError("both sides need samples")
    rng = np.random.default_rng(seed)

    def medians(samples: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        values = np.asarray(samples, np.float64)
        picks = rng.integers(0, len(values), (resamples, len(values)))
        return np.asarray(np.median(values[picks], axis=1), np.float64)

    ratios = medians(numerator) / medians(denominator)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(ratios, (tail, 100 - tail))
    return float(low), float(high)


def permutation_p_value(
    one: Sequence[float], other: Sequence[float], *, seed: int, resamples: int = RESAMPLES
) -> float:
    """Two-sided p-value of "both sides have the same median", by permuting labels.

    The statistic is ``|log(median(one) / median(other))|``; the observed arrangement counts as
    one of the permutations (Phipson and Smyth 2010), so the value is never 0.

    Args:
        one: positive samples.
        other: positive samples of the same unit.
        seed: of the permutations.
        resamples: number of permutations.

    Raises:
        ValueError: an empty side.
    """
    if not len(one) or not len(other):
        raise ValueError("both sides need samples")
    rng = np.random.default_rng(seed)
    logs = np.log(np.asarray([*one, *other], np.float64))

    def distance(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Any:
        split = np.median(values[:, : len(one)], axis=1), np.median(values[:, len(one) :], axis=1)
        return np.abs(split[0] - split[1])

    observed = distance(logs[None])[0]
    permuted = distance(rng.permuted(np.tile(logs, (resamples, 1)), axis=1))
    # equal but for rounding counts as equal
    return float((1 + np.sum(permuted >= observed * (1 - 1e-12))) / (1 + resamples))
