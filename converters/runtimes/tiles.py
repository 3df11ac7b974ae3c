"""Enlarge images of any size with a file whose input size is fixed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from converters.runtimes.process import TFLiteProcess
from irnet_keras.data.preprocessing import Images
from irnet_keras.data.upscaling import to_image, to_input
from irnet_keras.errors import UsageError

# Tiles overlap by twice this many small pixels, and that much of each inner edge is thrown away:
# the network sees zeros beyond the edge of a tile. SRResNet-lite looks 14 pixels far.
MARGIN = 16


class TiledUpscaler:
    """From a uint8 image to one ``scale`` times as high and wide.

    At the edges of the image tiles end where it ends, so the file's own padding applies there, as
    in a network that takes the image whole. Images smaller than a tile are continued with their
    last row and column, which such a network would not do.

    Args:
        process: a file of one image input and one image output.

    Raises:
        UsageError: the file is no such file.
    """

    def __init__(self, process: TFLiteProcess) -> None:
        self._process = process
        before, after = (tuple(t[0].shape) for t in (process.inputs, process.outputs))
        whole = len(before) == len(after) == 4 and before[3] == after[3] == 3
        scale = after[1] // before[1] if whole else 0
        if scale < 2 or after[1:3] != (scale * before[1], scale * before[2]):
            raise UsageError(f"{process.path} enlarges no images: it maps {before} to {after}")
        self.scale: int = scale
        self._size = before[1:3]

    def __call__(self, image: Images) -> Images:
        """Enlarge ``(height, width, 3)``."""
        height, width = image.shape[:2]
        missing = [
            (0, max(0, tile - n)) for tile, n in zip(self._size, (height, width), strict=True)
        ]
        padded = np.pad(image, (*missing, (0, 0)), mode="edge")
        rows, columns = (
            list(_tiles(n, tile)) for n, tile in zip(padded.shape[:2], self._size, strict=True)
        )
        tiles = [
            padded[top : top + self._size[0], left : left + self._size[1]]
            for top, _ in rows
            for left, _ in columns
        ]
        made = iter(to_image(self._process.run(to_input(np.stack(tiles)))))
        scale = self.scale
        result: NDArray[np.uint8] = np.empty(
            (scale * padded.shape[0], scale * padded.shape[1], 3), np.uint8
        )
        for top, keep_rows in rows:
            for left, keep_columns in columns:
                part = next(made)[_times(keep_rows, scale), _times(keep_columns, scale)]
                y, x = scale * (top + keep_rows.start), scale * (left + keep_columns.start)
                result[y : y + part.shape[0], x : x + part.shape[1]] = part
        return result[: scale * height, : scale * width]


def _tiles(length: int, tile: int) -> Iterator[tuple[int, slice]]:
    """Where tiles begin on an axis, and which of their own pixels are kept."""
    margin = min(MARGIN, (tile - 1) // 3)
    start = 0
    while True:
        last = start + tile >= length
        start = length - tile if last else start
        yield start, slice(margin if start else 0, tile if last else tile - margin)
        if last:
            return
        start += tile - 2 * margin


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
