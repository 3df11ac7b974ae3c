"""CIFAR-10 through tensorflow-datasets, in memory."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.preprocessing import Images
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
        labels: int64, shape ``(n,)``, index into ``LABELS``.
    """

    images: Images
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice) -> "LabelledImages":
        return LabelledImages(self.images[index], self.labels[index])


def default_data_dir() -> Path:
    """TFDS's own rule: ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    folder = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(folder).expanduser()


def cifar10_builder(folder: Path) -> Any:
    """TFDS's builder for a data folder.

    Raises:
        UsageError: the data set there is damaged.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder("cifar10", data_dir=str(folder))
    except Exception as error:
        raise _damaged(folder, folder / "cifar10", error) from error


def _damaged(folder: Path, data_set: object, error: Exception) -> UsageError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return UsageError(
        f"CIFAR-10 in {folder} cannot be read ({reason}); delete {data_set} and run: "
        f"irnet data prepare cifar10 --data-dir {folder}"
    )


def load_cifar10(split: str, data_dir: str | os.PathLike[str] | None = None) -> LabelledImages:
    """All images of a split, in TFDS's order (which is the same on every machine).

    Args:
        split: ``"train"`` (50,000) or ``"test"`` (10,000), or a TFDS slice of them.
        data_dir: TFDS data folder; default :func:`default_data_dir`.

    Raises:
        UsageError: the data set is not there, is damaged, or the split is unknown.
    """
    folder = Path(data_dir) if data_dir is not None else default_data_dir()
    builder = cifar10_builder(folder)
    if not (Path(builder.data_dir) / "dataset_info.json").exists():
        raise UsageError(
            f"CIFAR-10 is not in {folder}; run: irnet data prepare cifar10 --data-dir {folder}"
        )
    import tensorflow_datasets as tfds

    try:
        data = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))
    except (ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"split {split!r} of CIFAR-10: {reason}; accepted: train, test or a slice of them"
        ) from error
    except Exception as error:
        raise _damaged(folder, builder.data_dir, error) from error
    return LabelledImages(np.asarray(data["image"]), np.asarray(data["label"]).astype(np.int64))


def load_train_validation(
    validation_images: int,
    data_dir: str | os.PathLike[str] | None = None,
    train_images: int | None = None,
) -> tuple[LabelledImages, LabelledImages]:
    """The training split cut in two: the last ``validation_images`` are the validation split.

    Args:
        validation_images: size of the validation split, may be 0.
        data_dir: TFDS data folder.
        train_images: use only the first so many of the rest.
    """
    everything = load_cifar10("train", data_dir)
    cut = len(everything) - validation_images
    end = cut if train_images is None else train_images
    if end > cut:
        raise UsageError(f"train_images must be at most {cut}, got {train_images}")
    return everything[:end], everything[cut:]
