"""From stored images to network input: one set of functions for every part of the project.

``EVAL_PREPROCESSING`` is what training, evaluation, calibration, verification and the
benchmarks use; training puts ``augment_crop_flip`` before it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Inputs = NDArray[np.float32]

# Per-channel mean and standard deviation (RGB, 0..1) of the CIFAR-10 training images.
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)


def normalize(images: Images) -> Inputs:
    """``(x / 255 - mean) / std`` per channel.

    Args:
        images: uint8, shape ``(batch, height, width, 3)``, RGB.

    Returns:
        float32 of the same shape.
    """
    scale, shift = normalization()
    return images.astype(np.float32) * scale - shift


def normalization() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What :func:`normalize` multiplies bytes with, and what it subtracts then.

    Returns:
        Scale and shift, float32, shape ``(3,)``, RGB.
    """
    scale = np.float32(1.0) / (np.float32(255.0) * np.asarray(CIFAR10_STD, np.float32))
    shift = np.asarray(CIFAR10_MEAN, np.float32) / np.asarray(CIFAR10_STD, np.float32)
    return scale, shift


EVAL_PREPROCESSING: tuple[Callable[[Images], Inputs], ...] = (normalize,)


def preprocess(images: Images) -> Inputs:
    """Apply ``EVAL_PREPROCESSING`` in order."""
    (step,) = EVAL_PREPROCESSING
    return step(images)


def augment_crop_flip(images: Images, rng: np.random.Generator, pad: int = 4) -> Images:
    """Random crop from the image padded with ``pad`` black pixels, then a random flip.

    Args:
        images: uint8, shape ``(batch, height, width, channels)``.
        rng: source of randomness; three draws of ``batch`` values each.
        pad: pixels added on every side.

    Returns:
        uint8 of the same shape. Every image has its own offset in [0, 2 * pad] per axis and is
        mirrored left to right with probability 1/2.
    """
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    top = rng.integers(0, 2 * pad + 1, count)
    left = rng.integers(0, 2 * pad + 1, count)
    flip = rng.random(count) < 0.5
    rows = top[:, None] + np.arange(height)
    forward = np.arange(width)
    columns = left[:, None] + np.where(flip[:, None], forward[::-1], forward)
    return padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
