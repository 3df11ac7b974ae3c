"""Windows that move: explicit padding taken for SAME, kernels larger than their image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.lce.preflight.convolutions import CONV, DEPTHWISE, Convolution
from converters.lce.preflight.finding import Finding
from converters.lce.preflight.quantizers import unknown_sign
from converters.lce.preflight.same_padding import shift
from converters.lce.preflight.tf_graph import TFGraph
from converters.passes import Target


def shifted_windows(graph: TFGraph, convs: list[Convolution]) -> list[Finding]:
    """Convolutions whose explicit padding LCE would replace with another one."""
    found = []
    for conv in convs:
        if conv.node.op not in (CONV, DEPTHWISE) or conv.kernel is None:
            continue
        padding = _explicit_padding(graph, conv)
        if padding is None:
            continue
        size, pads, value = padding
        one_padded = conv.is_binary and unknown_sign(graph, conv) is None
        if value != 0 and not (value == 1 and one_padded):
            continue
        if value == 0 and _is_shared(graph, graph.producer(conv.data)):
            continue
        shifts = [
            shift(n, window, stride, before, after)
            for n, window, stride, (before, after) in zip(
                size, conv.window, conv.strides, pads, strict=True
            )
        ]
        if None in shifts or not any(shifts):
            continue
        found.append(
            Finding(
                "shifted-window",
                "wrong",
                conv.layer,
                f"explicit padding of {_text(pads)} with stride {conv.strides[0]} on an image of "
                f"{size[0]}x{size[1]} is taken for padding='same', which starts its windows "
                f"{max(s or 0 for s in shifts)} pixel later",
                "use padding='same' and retrain, pad ((0, 1), (0, 1)), or rotate image and kernels "
                "by 180 degrees (weights from PyTorch)",
            )
        )
    return found


def small_images(graph: TFGraph, convs: list[Convolution], target: Target) -> list[Finding]:
    """Zero-padded ones of some binary convolutions whose kernel is larger than the image."""
    if target != "lce":
        return []  # the delegate is right
    found = []
    for conv in convs:
        size = graph.image_size(conv.data)
        if conv.padding != "SAME" or size is None:
            continue
        height, width = size
        if height >= conv.window[0] and width >= conv.window[1]:
            continue
        found.append(
            Finding(
                "small-image",
                "wrong",
                conv.layer,
                f"the kernel ({conv.window[0]}x{conv.window[1]}) is larger than its zero-padded "
                f"image ({height}x{width}): LCE's fast kernels skip the correction of the padding",
                "use the delegate (--target delegate), pad_values=1, or a smaller kernel",
            )
        )
    return found


def _explicit_padding(
    graph: TFGraph, conv: Convolution
) -> tuple[tuple[int, int], NDArray[Any], float] | None:
    """Image size, paddings of height and width, and their value; None without such padding."""
    if conv.padding == "EXPLICIT":
        flat = list(conv.node.attr["explicit_paddings"].list.i)
        size = graph.image_size(conv.data)
        pads, value = np.array(flat).reshape(4, 2)[1:3], 0.0
    elif conv.padding == "VALID":
        pad = graph.producer(conv.data)
        if pad.op not in ("Pad", "PadV2"):
            return None
        inputs = graph.inputs(pad)
        if not all(graph.is_constant(i) for i in inputs[1:]):
            return None
        size = graph.image_size(inputs[0])
        values = graph.values(inputs[1:])
        pads = values[inputs[1]]
        if pads.shape != (4, 2) or pads[0].any() or pads[3].any():
            return None
        pads = pads[1:3]
        value = float(values[inputs[2]]) if pad.op == "PadV2" else 0.0
    else:
        return None
    if size is None or not pads.any():
        return None
    return size, pads, value


def _is_shared(graph: TFGraph, node: Any) -> bool:
    """Whether a zero padding has several readers: LCE then leaves it alone.

    Equal paddings of one tensor are one to the converter. (What is padded with +1 is always taken
    for SAME.)
    """
    if node.op not in ("Pad", "PadV2"):
        return False
    source, paddings = graph.inputs(node)[:2]
    own = graph.values([paddings])[paddings]
    for other in graph.consumers(source):
        if other.op == node.op and other.name != node.name:
            theirs = graph.inputs(other)[1]
            if np.array_equal(graph.values([theirs])[theirs], own):
                return True
    return len(graph.consumers(node.name)) > 1


def _text(pads: NDArray[Any]) -> str:
    return " and ".join(f"({int(before)}, {int(after)})" for before, after in pads)
