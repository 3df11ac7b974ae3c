"""Data sets of super-resolution as pairs in memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from irnet_keras.data.image_files import image_paths, read_image
from irnet_keras.data.photos import load_photos
from irnet_keras.data.sources import default_data_dir
from irnet_keras.data.upscaling import Pair, make_pair
from irnet_keras.errors import UsageError, first_line

SETS = ("photos", "div2k")
# Smallest side of a small image: 11 rows and columns of the large one must be left for SSIM
# between borders of ``scale`` pixels.
MIN_SIDE = 8
# TFDS has no public test split of DIV2K; its 100 validation images are what papers report.
_DIV2K_SPLITS = {"train": "train", "test": "validation"}


def load_pairs(
    dataset: str, split: str, scale: int, data_dir: str | os.PathLike[str] | None = None
) -> list[Pair]:
    """All pairs of a split, in a fixed order.

    Args:
        dataset: ``"photos"`` (small images made by :func:`make_pair`) or ``"div2k"`` (small
            images of the data set itself, MATLAB's bicubic).
        split: ``"train"`` or ``"test"``.
        scale: 2 or 4.
        data_dir: TFDS data folder.

    Raises:
        UsageError: the data set is not there.
    """
    if dataset == "photos":
        return [make_pair(name, image, scale) for name, image in load_photos(split, data_dir)]
    return _load_div2k(split, scale, data_dir)


def _load_div2k(split: str, scale: int, data_dir: str | os.PathLike[str] | None) -> list[Pair]:
    import tensorflow_datasets as tfds

    folder = Path(data_dir) if data_dir is not None else default_data_dir()
    name = f"div2k/bicubic_x{scale}"
    try:
        builder = tfds.builder(name, data_dir=str(folder))
        if not (Path(builder.data_dir) / "dataset_info.json").exists():
            raise UsageError(
                f"{name} is not in {folder}; prepare it with: python -c 'import "
                f'tensorflow_datasets as tfds; tfds.load("{name}", data_dir="{folder}")\''
            )
        data = builder.as_dataset(split=_DIV2K_SPLITS[split], shuffle_files=False)
        pairs = [_tfds_pair(i, images, scale) for i, images in enumerate(tfds.as_numpy(data))]
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{name} in {folder} cannot be read ({first_line(error)})") from error
    return pairs


def _tfds_pair(index: int, images: dict[str, Any], scale: int) -> Pair:
    large, small = np.asarray(images["hr"]), np.asarray(images["lr"])
    height, width = small.shape[:2]
    if large.shape[0] < scale * height or large.shape[1] < scale * width:
        raise ValueError(f"image {index}: {small.shape} is not 1/{scale} of {large.shape}")
    return Pair(str(index), large[: scale * height, : scale * width], small)


def folder_pairs(folder: Path, scale: int, limit: int | None = None) -> list[Pair]:
    """Pairs of every image of a folder, by name; only the first ``limit`` of them.

    Raises:
        UsageError: no folder, no image, one that cannot be read or is too small.
    """
    pairs = []
    for path in image_paths(folder)[:limit]:
        image = read_image(path)
        if min(image.shape[:2]) < MIN_SIDE * scale:
            raise UsageError(
                f"{path} is {image.shape[1]}x{image.shape[0]} pixels, at least "
                f"{MIN_SIDE * scale} on each side are needed to score x{scale}"
            )
        pairs.append(make_pair(path.name, image, scale))
    return pairs
