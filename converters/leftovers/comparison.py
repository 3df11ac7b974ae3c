"""Images to compare a quantized file with its original on, which it was not calibrated on."""

import numpy as np
from numpy.typing import NDArray

from converters.leftovers.representative import sample_images
from irnet_keras.data.preprocessing import Images, Inputs, preprocess
from irnet_keras.data.resizing import has_cifar10_labels

# What networks take for a black and for a white pixel, where not this project's preprocessing.
SCALES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0))
# Representative data that spreads less (standard deviation; images in 0..1 have 0.25) is in no
# known scale: the project's is assumed.
MIN_SPREAD = 0.025
_IMAGES = 16  # enough for a mean and a standard deviation


def comparison_images(
    shape: tuple[int, ...], outputs: tuple[tuple[int, ...], ...], representative: Inputs
) -> tuple[Inputs, NDArray[np.int64] | None, str]:
    """Shipped test images in the scale of the representative data, or that data itself.

    Args:
        shape: of one input of the model.
        outputs: of one result of each output.
        representative: what the file was calibrated on, float32 ``(n, *shape)``.

    Returns:
        float32 ``(n, *shape)``; classes ``(n,)`` where the model is a CIFAR-10 classifier by its
        shapes; what they are, for people.
    """
    if len(shape) != 3 or shape[2] != 3:
        return representative, None, "representative data"
    images = sample_images(shape, test=True)
    inputs, scale = _in_scale_of(images.images, representative)
    if has_cifar10_labels(shape, outputs):
        return inputs, images.labels, f"CIFAR-10 test, shipped sample{scale}"
    return inputs, None, f"CIFAR-10 test, resized to {shape[:2]}{scale}"


def _in_scale_of(images: Images, representative: Inputs) -> tuple[Inputs, str]:
    mean, spread = float(representative.mean()), float(representative.std())
    if spread < MIN_SPREAD:
        return preprocess(images), ""

    def distance(inputs: Inputs) -> float:
        own = float(inputs.std())
        return abs(float(np.log(spread / own))) + abs(mean - float(inputs.mean())) / own

    few = images[:_IMAGES]
    low, high = min(SCALES, key=lambda scale: distance(_scaled(few, *scale)))
    if distance(preprocess(few)) <= distance(_scaled(few, low, high)):
        return preprocess(images), ""
    return _scaled(images, low, high), f", pixels in {low:g}..{high:g}"


def _scaled(images: Images, low: float, high: float) -> Inputs:
    return images.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
