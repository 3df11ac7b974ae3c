"""Write the sample of CIFAR-10 that the package ships (run once; the result is committed).

    python tools/make_sample.py --data-dir DIR

1,000 test images (the first 100 of each class in TFDS order) and 256 training images for
calibrating int8 builds (the first 256 in TFDS order), uint8, lossless.
"""

import argparse
from pathlib import Path

import numpy as np

from irnet_keras.data.cifar10 import load_cifar10
from irnet_keras.data.sample import CALIBRATION_IMAGES, IMAGES_PER_CLASS, SAMPLE_FILE


def main() -> None:
    """Read CIFAR-10 and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    test = load_cifar10("test", arguments.data_dir)
    index = np.sort(
        np.concatenate([np.flatnonzero(test.labels == c)[:IMAGES_PER_CLASS] for c in range(10)])
    )
    train = load_cifar10("train", arguments.data_dir)[:CALIBRATION_IMAGES]
    np.savez_compressed(
        SAMPLE_FILE,
        test_images=test.images[index],
        test_labels=test.labels[index].astype(np.uint8),
        test_index=index.astype(np.int32),
        calibration_images=train.images,
        calibration_labels=train.labels.astype(np.uint8),
    )
    print(SAMPLE_FILE, SAMPLE_FILE.stat().st_size)


if __name__ == "__main__":
    main()
