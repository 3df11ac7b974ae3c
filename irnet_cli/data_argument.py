"""``--data``: labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING

from irnet_cli.output import import_tensorflow
from irnet_keras.errors import UsageError
from irnet_keras.near import accepted

if TYPE_CHECKING:
    from irnet_keras.data.cifar10 import LabelledImages

DATA = ("cifar10", "cifar100", "sample")


def check_data(data: str) -> None:
    """Raise :class:`UsageError` for an unknown name."""
    if data not in DATA:
        raise UsageError(
            f"--data must be one of these data sets, got {data!r}; {accepted(data, DATA)}"
        )


def labelled_images(
    data: str, data_dir: Path | None, split: str, limit: int | None
) -> "LabelledImages":
    """The first images of a data set that fits into memory.

    Args:
        data: one of ``DATA``.
        data_dir: TFDS data folder.
        split: of the CIFAR sets.
        limit: at most so many; None for all.

    Raises:
        UsageError: no data, or none in that split.
    """
    if data == "sample":
        from irnet_keras.data.sample import load_sample

        images = load_sample().test
    else:
        import_tensorflow()  # which tensorflow-datasets would do, less quietly
        from irnet_keras.data.cifar10 import load_cifar

        images = load_cifar(data, split, data_dir)
    if not len(images):
        raise UsageError(f"split {split!r} of {data} has no images")
    return images[:limit]
