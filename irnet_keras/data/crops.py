"""Training batches of crops whose content depends only on (seed, epoch, step)."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.preprocessing import Images, Inputs
from irnet_keras.data.upscaling import Pair, to_input


def crop_batches(
    pairs: Sequence[Pair],
    *,
    scale: int,
    crop: int,
    crops_per_image: int,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    rows: slice = slice(None),
) -> Iterator[tuple[Inputs, Inputs]]:
    """Endless stream of (small, large) crops, flipped and rotated.

    An epoch takes ``crops_per_image`` crops of every image, in random order, cut into full
    batches. All random numbers of an epoch are drawn at its start from a generator seeded with
    ``[seed, epoch]``.

    Args:
        pairs: images at least ``crop`` (small) and ``scale * crop`` (large) pixels high and wide.
        scale: of the pairs.
        crop: height and width of the small crops.
        crops_per_image: in an epoch.
        batch_size: at most all crops of an epoch.
        seed: any non-negative integer.
        first_epoch: 0-based epoch to start with.
        first_step: 0-based batch of that epoch to start with.
        rows: part of every batch.

    Yields:
        float32 0..1, ``(rows, crop, crop, 3)`` and ``(rows, scale * crop, scale * crop, 3)``.

    Raises:
        ValueError: ``batch_size`` out of range.
    """
    count = len(pairs) * crops_per_image
    if not 1 <= batch_size <= count:
        raise ValueError(f"batch_size must be in 1..{count}, got {batch_size}")
    epoch, step = first_epoch, first_step
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(np.repeat(np.arange(len(pairs)), crops_per_image))
        corners = rng.random((count, 2))
        turns = rng.integers(0, 8, count)
        for start in range(step * batch_size, count - batch_size + 1, batch_size):
            chosen = range(start, start + batch_size)[rows]
            made = [_crop(pairs[order[i]], scale, crop, corners[i], turns[i]) for i in chosen]
            small, large = (to_input(np.stack(images)) for images in zip(*made, strict=True))
            yield small, large
        epoch, step = epoch + 1, 0


def _crop(
    pair: Pair, scale: int, crop: int, corner: NDArray[np.float64], turn: int
) -> tuple[Images, Images]:
    """The same window of both, in one of the eight orientations of a square."""
    free = np.array(pair.small.shape[:2]) - crop + 1
    top, left = (int(n) for n in corner * free)
    small = pair.small[top : top + crop, left : left + crop]
    top, left, size = top * scale, left * scale, crop * scale
    large = pair.large[top : top + size, left : left + size]
    return _turned(small, turn), _turned(large, turn)


def _turned(image: Images, turn: int) -> Images:
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image
