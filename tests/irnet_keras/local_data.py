"""Small data sets on disk that TFDS takes for the real ones: real photographs, its own builders."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from irnet_keras.data.sample import load_sample

SHARDS = 3  # files of a split
Examples = Callable[[], Iterator[tuple[str, dict[str, Any]]]]


def photograph() -> np.ndarray:
    """Grace Hopper, 600x512, as matplotlib ships her."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return np.asarray(Image.open(path).convert("RGB"))


def jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def write(name: str, folder: Path, splits: dict[str, Examples], config: str | None = None) -> Path:
    """Write a data set with the version and features that TFDS's builder ``name`` has."""
    original = tfds.builder_cls(name)  # (imported where that would skip it, it stays unknown)
    with tfds.core.registered.skip_registration():

        class Local(original):
            def _split_generators(self, manager: Any) -> Any:
                return {split: examples() for split, examples in splits.items()}

    Local.name = name
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        shards = tfds.download.DownloadConfig(num_shards=SHARDS)
        local = Local(data_dir=str(folder), config=config)
        local.download_and_prepare(download_config=shards)
    return folder


def write_imagenet(folder: Path, train: int, validation: int) -> Path:
    """Cuttings of a photograph and enlarged CIFAR images; image i has label 7 i mod 1000."""
    photo = photograph()
    small = load_sample().test.images

    def examples(first: int, count: int) -> Examples:
        def generate() -> Iterator[tuple[str, dict[str, Any]]]:
            for i in range(first, first + count):
                image = photo[20 * (i % 10) :, 15 * (i % 7) :]
                if i % 2:
                    image = np.asarray(Image.fromarray(small[i]).resize((80 + i, 64)))
                name = f"n{i:08}.JPEG"
                data = {"image": io.BytesIO(jpeg(image)), "label": 7 * i % 1000, "file_name": name}
                yield name, data

        return generate

    splits = {"train": examples(0, train), "validation": examples(train, validation)}
    return write("imagenet2012", folder, splits)


def write_cifar100(folder: Path, train: int, test: int) -> Path:
    """CIFAR-10's images; image i has label 3 i mod 100."""
    images = load_sample().test.images

    def examples(first: int, count: int) -> Examples:
        def generate() -> Iterator[tuple[str, dict[str, Any]]]:
            for i in range(first, first + count):
                label = 3 * i % 100
                data = {"id": f"{i:06}", "image": images[i], "label": label, "coarse_label": 0}
                yield f"{i:06}", data

        return generate

    splits = {"train": examples(0, train), "test": examples(train, test)}
    return write("cifar100", folder, splits)


def write_div2k(folder: Path, scale: int, train: int, validation: int) -> Path:
    """Cuttings of a photograph, sides odd, and every ``scale``-th of their pixels."""
    photo = photograph()

    def examples(first: int, count: int) -> Examples:
        def generate() -> Iterator[tuple[str, dict[str, Any]]]:
            for i in range(first, first + count):
                large = photo[7 * i : 7 * i + 40 + 1, 5 * i : 5 * i + 48 + 4 * i + 1]
                small = large[:40:scale, : 48 + 4 * i : scale]
                yield str(i), {"hr": np.ascontiguousarray(large), "lr": np.ascontiguousarray(small)}

        return generate

    splits = {"train": examples(0, train), "validation": examples(train, validation)}
    return write("div2k", folder, splits, f"bicubic_x{scale}")
