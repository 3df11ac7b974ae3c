"""The values each filter of an operator meets: one row per output position."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.builtin_ops import ConvOptions
from converters.graph.lce_ops import SAME


def windows(values: NDArray[Any], kernel: tuple[int, ...], options: ConvOptions) -> NDArray[Any]:
    """Patches that a convolution multiplies with its filters.

    Args:
        values: ``(n, height, width, channels)``.
        kernel: height and width of a filter.
        options: of the operator; SAME padding is TensorFlow's, with zeros.

    Returns:
        ``(n, out_height, out_width, kernel_height, kernel_width, channels)``,
        a view where possible.
    """
    pads, spans, counts = [], [], []
    sides = zip(values.shape[1:3], kernel, options.strides, options.dilation, strict=True)
    for size, taps, stride, dilation in sides:
        span = (taps - 1) * dilation + 1
        if options.padding == SAME:
            count = -(-size // stride)
            total = max((count - 1) * stride + span - size, 0)
        else:
            count, total = (size - span) // stride + 1, 0
        pads.append((total // 2, total - total // 2))
        spans.append(span)
        counts.append(count)
    padded = np.pad(values, [(0, 0), *pads, (0, 0)])
    view = np.lib.stride_tricks.sliding_window_view(padded, spans, (1, 2))  # type: ignore[call-overload]
    (down, right), (dilate_y, dilate_x) = options.strides, options.dilation
    view = view[:, ::down, ::right, :, ::dilate_y, ::dilate_x][:, : counts[0], : counts[1]]
    return view.transpose(0, 1, 2, 4, 5, 3)
