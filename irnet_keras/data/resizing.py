"""Images in the size a model takes: what calibration, verification and checks share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.cifar10 import LABELS, LabelledImages

CIFAR10_SHAPE = (32, 32, 3)
# More images change the ranges and moments little and take time.
MAX_IMAGES = 256
# Larger inputs have many windows each.
MAX_PIXELS = 64 * 224 * 224


def resized(images: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """uint8 images in the height and width of ``shape``, bilinear."""
    if images.shape[1:3] == shape[:2]:
        return images
    from PIL import Image

    size = (shape[1], shape[0])
    return np.stack(
        [np.asarray(Image.fromarray(x).resize(size, Image.Resampling.BILINEAR)) for x in images]
    )


def image_count(shape: tuple[int, ...]) -> int:
    """How many images of that height and width are worth the time."""
    return max(16, min(MAX_IMAGES, MAX_PIXELS // (shape[0] * shape[1])))


def fitted(images: LabelledImages, shape: tuple[int, ...]) -> LabelledImages:
    """Images in the height and width of ``shape``: all if they have it, else the first ones."""
    if images.images.shape[1:3] == shape[:2]:
        return images
    count = image_count(shape)
    return LabelledImages(resized(images.images[:count], shape), images.labels[:count])


def has_cifar10_labels(shape: tuple[int, ...], outputs: tuple[tuple[int, ...], ...]) -> bool:
    """Whether a model is a CIFAR-10 classifier by its shapes, without their batch."""
    return shape == CIFAR10_SHAPE and outputs == ((len(LABELS),),)
