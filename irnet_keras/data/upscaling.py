"""Pairs of small and large images, and what an enlargement is worth."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from irnet_keras.data.image_quality import luma, psnr, ssim
from irnet_keras.data.preprocessing import Images, Inputs

METRICS = ("psnr", "ssim", "bicubic_psnr", "bicubic_ssim")


@dataclass(frozen=True)
class Pair:
    """An image and its smaller version.

    Attributes:
        name: for people.
        large: uint8, shape ``(scale * height, scale * width, 3)``, RGB.
        small: uint8, shape ``(height, width, 3)``.
    """

    name: str
    large: Images
    small: Images


def resize_bicubic(image: Images, height: int, width: int) -> Images:
    """Pillow's bicubic resize: a = -0.5, antialiased when it shrinks, pixel centres aligned.

    The same kernel and support as MATLAB's ``imresize``, which papers use; Pillow rounds its
    weights to 8 bit fixed point and the result of each direction to 8 bits.
    """
    from PIL import Image

    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def make_pair(name: str, image: Images, scale: int) -> Pair:
    """Crop to a multiple of ``scale`` (bottom and right) and shrink."""
    height, width = (n // scale for n in image.shape[:2])
    large = image[: height * scale, : width * scale]
    return Pair(name, large, resize_bicubic(large, height, width))


def to_input(images: Images) -> Inputs:
    """uint8 to what super-resolution networks take: float32, 0..1."""
    return images.astype(np.float32) / np.float32(255.0)


def to_image(values: Inputs) -> Images:
    """What they return, to uint8: times 255, rounded, clipped."""
    return np.clip(np.rint(values * np.float32(255.0)), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class ImageScore:
    """One image: PSNR in dB and SSIM on luma, of the enlargement and of bicubic's."""

    name: str
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float


@dataclass(frozen=True)
class UpscalingScore:
    """Means over images, and the images."""

    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float
    images: tuple[ImageScore, ...]

    def as_json(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {**asdict(self), "images": [asdict(image) for image in self.images]}


def score_upscaling(
    pairs: Iterable[Pair], scale: int, upscale: Callable[[Images], Images]
) -> UpscalingScore:
    """Score an enlargement, ``scale`` pixels of every border left out.

    Args:
        pairs: at least one.
        scale: of the pairs.
        upscale: from uint8 ``(height, width, 3)`` to uint8, ``scale`` times as high and wide.
    """
    images = []
    for pair in pairs:
        bicubic = resize_bicubic(pair.small, *pair.large.shape[:2])
        inner = slice(scale, -scale)
        original, own, other = (
            luma(image)[inner, inner] for image in (pair.large, upscale(pair.small), bicubic)
        )
        values = [f(original, y) for y in (own, other) for f in (psnr, ssim)]
        images.append(ImageScore(pair.name, *values))
    if not images:
        raise ValueError("there are no images to score")
    means = {name: float(np.mean([getattr(image, name) for image in images])) for name in METRICS}
    return UpscalingScore(**means, images=tuple(images))
