"""Data sets as tensorflow-datasets keeps them on disk."""

import os
from pathlib import Path
from typing import Any

from irnet_keras.errors import UsageError, first_line

TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet2012": "ImageNet"}
_ARCHIVES = "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar"


def default_data_dir() -> Path:
    """TFDS's own rule: ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``."""
    folder = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(folder).expanduser()


def tfds_builder(name: str, folder: Path) -> Any:
    """TFDS's builder of a data set for a data folder, where it need not be yet.

    Args:
        name: TFDS's, of ``TITLES``.
        folder: TFDS data folder.

    Raises:
        UsageError: the data set there is damaged.
    """
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=str(folder))
    except Exception as error:
        raise damaged(name, folder, folder / name, error) from error


def open_builder(name: str, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """The builder of a data set that is there.

    Args:
        name: as for :func:`tfds_builder`.
        data_dir: TFDS data folder; default :func:`default_data_dir`.

    Raises:
        UsageError: the data set is missing or damaged; the message says how to get it.
    """
    folder = Path(data_dir) if data_dir is not None else default_data_dir()
    builder = tfds_builder(name, folder)
    if not (Path(builder.data_dir) / "dataset_info.json").exists():
        raise UsageError(f"{TITLES[name]} is not in {folder}; {_how(name, folder)}")
    return builder


def damaged(name: str, folder: Path, data_set: object, error: Exception) -> UsageError:
    """The error of a data set that cannot be read."""
    reason = first_line(error)
    return UsageError(
        f"{TITLES[name]} in {folder} cannot be read ({reason}); delete {data_set} and "
        f"{_how(name, folder)}"
    )


def bad_split(name: str, split: str, error: Exception, accepted: str) -> UsageError:
    """The error of a split that the data set does not have."""
    reason = str(error).splitlines()[0]
    return UsageError(
        f"split {split!r} of {TITLES[name]}: {reason}; accepted: {accepted} or a slice of them"
    )


def _how(name: str, folder: Path) -> str:
    if name == "imagenet2012":  # may not be fetched without an account
        return (
            f"put {_ARCHIVES} into {folder}/downloads/manual and run: "
            f"tfds build imagenet2012 --data_dir {folder}"
        )
    return f"run: irnet data prepare {name} --data-dir {folder}"
