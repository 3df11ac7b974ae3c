"""Training batches whose content depends only on (seed, epoch, step)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.preprocessing import Images, Inputs, augment_crop_flip, preprocess


def training_batches(
    images: Images,
    labels: NDArray[np.int64],
    *,
    batch_size: int,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    rows: slice = slice(None),
) -> Iterator[tuple[Inputs, NDArray[np.int64]]]:
    """Endless stream of augmented, normalised batches, starting at a step of an epoch.

    An epoch is a fresh permutation cut into full batches (the rest is dropped). Because
    each epoch has its own generator, seeded with ``[seed, epoch]``, a resumed run sees
    exactly the batches the uninterrupted one would have seen.

    Args:
        images: uint8, shape ``(n, height, width, channels)``.
        labels: integers, shape ``(n,)``.
        batch_size: images per batch, <= n.
        seed: any non-negative integer.
        first_epoch: 0-based epoch to start with.
        first_step: 0-based step of that epoch to start with.
        rows: the part of every batch that is yielded.

    Yields:
        float32 images ``(batch, height, width, channels)`` and their labels, where batch is
        ``batch_size`` or the number of ``rows``.

    Raises:
        ValueError: ``batch_size`` out of range.
    """
    if not 1 <= batch_size <= len(labels):
        raise ValueError(f"batch_size must be in 1..{len(labels)}, got {batch_size}")
    epoch = first_epoch
    while True:
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(labels))
        for step in range(len(order) // batch_size):
            index = order[step * batch_size : (step + 1) * batch_size]
            augmented = augment_crop_flip(images[index], rng)  # also of steps that are passed over
            if epoch > first_epoch or step >= first_step:
                yield preprocess(augmented[rows]), labels[index[rows]]
        epoch += 1
