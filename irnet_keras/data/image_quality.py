"""PSNR and SSIM as papers on super-resolution report them: on luma, without the border."""

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.preprocessing import Images

PEAK = 255.0
# BT.601, from 0..255 RGB to 16..235.
LUMA = np.array([65.481, 128.553, 24.966]) / 255.0
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2

Luma = NDArray[np.float64]


def luma(image: Images) -> Luma:
    """Y of BT.601, ``16 + (65.481 R + 128.553 G + 24.966 B) / 255``, not rounded.

    Args:
        image: uint8, shape ``(height, width, 3)``, RGB.

    Returns:
        float64, shape ``(height, width)``, 16..235.
    """
    y: Luma = image.astype(np.float64) @ LUMA + 16.0
    return y


def psnr(first: Luma, second: Luma) -> float:
    """``10 log10(255**2 / mean((first - second)**2))`` in dB; infinite for equal images."""
    error = float(np.mean(np.square(first - second)))
    return float("inf") if error == 0 else 10 * float(np.log10(PEAK**2 / error))


def ssim(first: Luma, second: Luma) -> float:
    """Mean structural similarity over all 11 x 11 windows that lie inside.

    Windows are Gaussian, sigma 1.5; K1 = 0.01, K2 = 0.03, range 255, weighted variances without
    Bessel's correction.

    Args:
        first: shape ``(height, width)``, both at least 11.
        second: of the same shape.

    References:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity".
    """
    if min(first.shape) < _WINDOW:
        raise ValueError(f"images must be at least {_WINDOW} pixels high and wide: {first.shape}")
    mean1, mean2 = _blurred(first), _blurred(second)
    square1, square2, product = mean1 * mean1, mean2 * mean2, mean1 * mean2
    variance1 = _blurred(first * first) - square1
    variance2 = _blurred(second * second) - square2
    covariance = _blurred(first * second) - product
    similarity = ((2 * product + _C1) * (2 * covariance + _C2)) / (
        (square1 + square2 + _C1) * (variance1 + variance2 + _C2)
    )
    return float(similarity.mean())


def _blurred(image: Luma) -> Luma:
    """Weighted means of all windows that lie inside, the same weights in rows and columns."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-np.square(offsets) / (2 * _SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        image = np.lib.stride_tricks.sliding_window_view(image, _WINDOW, axis) @ weights
    return image
