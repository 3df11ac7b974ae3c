"""Output sizes of sliding windows, TensorFlow's padding."""

from converters.graph.lce_ops import SAME, VALID
from converters.untrusted.node import Node


def output_size(node: Node, size: int, kernel: int, stride: int, dilation: int, pad: int) -> int:
    """Length of the output along one axis, at least 1.

    ``ceil(size / stride)`` with SAME, ``ceil((size - (kernel - 1) * dilation) / stride)`` with
    VALID padding.
    """
    node.sizes(stride=stride, dilation=dilation, window=kernel)
    node.require(pad in (SAME, VALID), f"has padding {pad}, accepted: 0 (SAME), 1 (VALID)")
    extent = (kernel - 1) * dilation + 1
    node.sizes(**{"dilated window": extent})
    room = size if pad == SAME else size - extent + 1
    node.require(room >= 1, f"has a window of {extent} on a size of {size} without padding")
    return -(-room // stride)
