"""CIFAR-10 and CIFAR-100 through tensorflow-datasets, in memory."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.preprocessing import Images
from irnet_keras.data.sources import bad_split, damaged, open_builder
from irnet_keras.errors import UsageError

LABELS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes.

    Attributes:
        images: uint8, shape ``(n, 32, 32, 3)``, RGB.
        labels: int64, shape ``(n,)``; of CIFAR-10 the index into ``LABELS``.
    """

    images: Images
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice) -> "LabelledImages":
        return LabelledImages(self.images[index], self.labels[index])


def load_cifar(
    name: str, split: str, data_dir: str | os.PathLike[str] | None = None
) -> LabelledImages:
    """All images of a split, in TFDS's order (which is the same on every machine).

    Args:
        name: ``"cifar10"`` or ``"cifar100"``, whose labels are the 100 fine ones.
        split: ``"train"`` (50,000) or ``"test"`` (10,000), or a TFDS slice of them.
        data_dir: TFDS data folder; default :func:`irnet_keras.data.sources.default_data_dir`.

    Raises:
        UsageError: the data set is not there, is damaged, or the split is unknown.
    """
    builder = open_builder(name, data_dir)
    import tensorflow_datasets as tfds

    try:
        data = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))
    except (ValueError, KeyError) as error:
        raise bad_split(name, split, error, "train, test") from error
    except Exception as error:
        folder = Path(builder.data_dir).parents[1]
        raise damaged(name, folder, builder.data_dir, error) from error
    return LabelledImages(np.asarray(data["image"]), np.asarray(data["label"]).astype(np.int64))


def load_cifar10(split: str, data_dir: str | os.PathLike[str] | None = None) -> LabelledImages:
    """:func:`load_cifar` of CIFAR-10."""
    return load_cifar("cifar10", split, data_dir)


def load_train_validation(
    validation_images: int,
    data_dir: str | os.PathLike[str] | None = None,
    train_images: int | None = None,
    name: str = "cifar10",
) -> tuple[LabelledImages, LabelledImages]:
    """The training split cut in two: the last ``validation_images`` are the validation split.

    Args:
        validation_images: size of the validation split, may be 0.
        data_dir: TFDS data folder.
        train_images: use only the first so many of the rest.
        name: as for :func:`load_cifar`.

    Raises:
        UsageError: as :func:`load_cifar`, or fewer images than that.
    """
    everything = load_cifar(name, "train", data_dir)
    cut = len(everything) - validation_images
    if cut < 1:
        raise UsageError(
            f"validation_images must be less than {len(everything)}, the training images of "
            f"{name}; got {validation_images}"
        )
    end = cut if train_images is None else train_images
    if end > cut:
        raise UsageError(f"train_images must be at most {cut}, got {train_images}")
    return everything[:end], everything[cut:]
