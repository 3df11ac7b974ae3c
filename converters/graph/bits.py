"""LCE's bit format: 32 signs in an int32 word along the last axis.

Bit 0 is +1 (x >= 0), bit 1 is -1; channel c is bit c % 32 of word c // 32 (LSB first); the
unused bits of the last word are 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 32


def packed_words(channels: int) -> int:
    """int32 words that hold ``channels`` bits."""
    return -(-channels // WORD_BITS)


def pack_bits(negative: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Pack "is negative" flags.

    Args:
        negative: boolean, shape ``(..., channels)``.

    Returns:
        int32, shape ``(..., ceil(channels / 32))``.
    """
    channels = negative.shape[-1]
    padding = packed_words(channels) * WORD_BITS - channels
    flags = np.pad(negative, [(0, 0)] * (negative.ndim - 1) + [(0, padding)])
    # (packbits keeps the input's memory order, a view needs the last axis contiguous)
    raw = np.ascontiguousarray(np.packbits(flags, axis=-1, bitorder="little"))
    return raw.view("<i4").astype(np.int32, copy=False)


def unpack_bits(words: NDArray[Any], channels: int) -> NDArray[np.bool_]:
    """Inverse of :func:`pack_bits`: boolean, shape ``(..., channels)``, True is -1."""
    raw = np.ascontiguousarray(words, "<i4").view(np.uint8)
    return np.unpackbits(raw, axis=-1, bitorder="little")[..., :channels].astype(np.bool_)


def unpack_signs(words: NDArray[Any], channels: int) -> NDArray[np.int8]:
    """Packed words as int8 -1 and +1, shape ``(..., channels)``."""
    return (1 - 2 * unpack_bits(words, channels).astype(np.int8)).astype(np.int8)


def count_bits(words: NDArray[Any]) -> NDArray[np.int64]:
    """Set bits per entry of the leading axes: int64, shape ``words.shape[:-1]``."""
    raw = np.ascontiguousarray(words, "<i4").view(np.uint8)
    return np.unpackbits(raw, axis=-1).sum(axis=-1, dtype=np.int64)
