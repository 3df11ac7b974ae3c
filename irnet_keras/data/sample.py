"""A small real part of CIFAR-10 that the package ships, for use without network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from irnet_keras.data.cifar10 import LabelledImages

SAMPLE_FILE = Path(__file__).parent / "sample" / "cifar10_sample.npz"
IMAGES_PER_CLASS = 100
CALIBRATION_IMAGES = 256


@dataclass(frozen=True)
class Sample:
    """Real CIFAR-10 images, lossless.

    Attributes:
        test: 1,000 test images, 100 of each class.
        calibration: 256 training images, for representative data of int8 builds.
    """

    test: LabelledImages
    calibration: LabelledImages


def load_sample() -> Sample:
    """Read the shipped sample."""
    with np.load(SAMPLE_FILE) as z:
        return Sample(
            LabelledImages(z["test_images"], z["test_labels"].astype(np.int64)),
            LabelledImages(z["calibration_images"], z["calibration_labels"].astype(np.int64)),
        )
