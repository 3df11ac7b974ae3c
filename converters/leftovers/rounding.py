"""Round weights to int8 so that sums change as little as they can, not each weight.

    e = q*s - w,   error of a filter's sums = e . x,   mean square = e' C e

where C is the covariance of the inputs, once the bias has taken e . mean(x). Every weight goes up
or down, whichever is better given how the others were rounded (coordinate descent from the
nearest values; each move lowers the error, so it ends). Weights move by less than one step, and
the largest of each scale, which defines it, stays.

References:
    Bias correction: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias
    Correction, ICCV 2019. Up or down by the inputs' second moments: Nagel et al., Up or Down?
    Adaptive Rounding for Post-Training Quantization, ICML 2020; here solved greedily.
"""

import numpy as np
from numpy.typing import NDArray

from converters.leftovers.statistics import Doubles, Moments

LEVELS = 127  # symmetric int8, as LiteRT's kernels want weights
# Of the mean variance, added to each: a few hundred images say nothing about rare directions.
DAMPING = 0.01
# From the fifth on the error falls by 3 % at most, from the tenth by none (ResNet-18, ResNet-20).
MAX_SWEEPS = 10


def scales(weights: Doubles, *, per_channel: bool) -> Doubles:
    """Size of a step, ``(filters, 1)``; 1 where all weights are 0.

    Args:
        weights: ``(filters, size)``.
        per_channel: one per filter, else the same for all.
    """
    largest = np.abs(weights).max(axis=1, keepdims=True)
    if not per_channel:
        largest = np.full_like(largest, largest.max())
    return np.where(largest > 0, largest / LEVELS, 1.0)


def round_weights(weights: Doubles, step: Doubles, covariance: Doubles) -> Doubles:
    """Multiples of ``step`` near ``weights`` with the least mean square error of the sums.

    Args:
        weights: ``(filters, size)``.
        step: ``(filters, 1)``.
        covariance: ``(size, size)`` of the inputs.

    Returns:
        float64, shape of ``weights``.
    """
    size = weights.shape[1]
    damped = covariance + np.eye(size) * (DAMPING * np.trace(covariance) / size + 1e-30)
    codes = np.rint(weights / step)
    error = codes * step - weights
    steps = step[:, 0]
    movable = (np.abs(codes) < LEVELS) & (weights != 0)  # (zeros are taps that do not exist)
    for _ in range(MAX_SWEEPS):
        moved = False
        for j in range(size):
            wish = np.rint(-(error @ damped[:, j]) / (damped[j, j] * steps))
            wish = np.where(movable[:, j], np.clip(wish, -1, 1), 0.0)
            changed = error[:, j] + wish * steps
            take = (wish != 0) & (np.abs(changed) < steps)
            if take.any():
                error[take, j] = changed[take]
                moved = True
        if not moved:
            break
    return weights + error


def corrected_bias(
    bias: NDArray[np.float32], before: Doubles, after: Doubles, moments: Moments
) -> NDArray[np.float32]:
    """Bias that keeps the mean of every sum: ``(filters,)``."""
    return (bias + (before - after) @ moments.mean).astype(np.float32)
