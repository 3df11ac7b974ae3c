"""The multiplying nodes of a graph, with where their operands come from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.filters import Filters, describe_filters
from converters.lce.preflight.tf_graph import TFGraph

CONV, DEPTHWISE = "Conv2D", "DepthwiseConv2dNative"
MULTIPLIERS = (CONV, DEPTHWISE, "Conv2DBackpropInput", "Conv3D", "MatMul", "BatchMatMulV2")
PADS = ("Pad", "PadV2", "MirrorPad")
# What may stand between a sign and the convolution that reads it without changing values.
_MOVES = (
    *PADS, "Reshape", "Squeeze", "ExpandDims", "StridedSlice", "Slice", "Transpose", "MaxPool",
    "SpaceToBatchND", "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "GatherV2",
)  # fmt: skip


@dataclass(frozen=True)
class Convolution:
    """A node that multiplies weights with activations.

    Attributes:
        node: the node.
        layer: Keras layer.
        data: the tensor it reads.
        source: that tensor past padding, slicing and the like.
        between: those nodes, the nearest first.
        magnitude: c if ``source`` holds only +c and -c, else None.
        kernel: weights, filters in the first axis; None if they depend on the image.
        kernel_tensor: name of the weights.
        filters: what they are.
        spread: dilation where TensorFlow wrote it as a SpaceToBatchND before the node (LCE sees
            through that), else None.
        spread_padding: padding of that form.
    """

    node: Any
    layer: str
    data: str
    source: str
    between: tuple[Any, ...]
    magnitude: float | None
    kernel: NDArray[Any] | None
    kernel_tensor: str
    filters: Filters
    spread: tuple[int, int] | None = None
    spread_padding: str = "VALID"

    @property
    def is_binary(self) -> bool:
        """Both operands are +-c: meant to be, and could be, 1-bit."""
        return self.magnitude is not None and self.filters.is_binary

    @property
    def strides(self) -> tuple[int, int]:
        """(height, width)."""
        return _pair(self.node, "strides")

    @property
    def dilation(self) -> tuple[int, int]:
        """(height, width)."""
        return self.spread or _pair(self.node, "dilations")

    @property
    def padding(self) -> str:
        """``"SAME"``, ``"VALID"`` or ``"EXPLICIT"``."""
        if self.spread is not None:
            return self.spread_padding
        return str(self.node.attr["padding"].s.decode())

    @property
    def window(self) -> tuple[int, int]:
        """Effective kernel size, dilation included, of a 2-D convolution."""
        if self.kernel is None:
            return (1, 1)
        height, width = self.kernel.shape[1:3]
        return (height - 1) * self.dilation[0] + 1, (width - 1) * self.dilation[1] + 1


def convolutions(graph: TFGraph) -> list[Convolution]:
    """All multiplying nodes that depend on the image, in graph order."""
    found = []
    for node in graph.nodes.values():
        if node.op not in MULTIPLIERS or graph.is_constant(node.name):
            continue
        inputs = graph.inputs(node)
        backward = node.op == "Conv2DBackpropInput"
        data, kernel = (inputs[2], inputs[1]) if backward else (inputs[0], inputs[1])
        spread = _spread(graph, data)
        if spread is not None:
            data = graph.inputs(graph.producer(data))[0]
        found.append((node, graph.resolve(data), kernel, *_source(graph, data), spread))
    values = graph.values(
        [source for _, _, _, source, _, _ in found]
        + [kernel for _, _, kernel, _, _, _ in found if graph.is_constant(kernel)]
    )
    return [
        _describe(graph, node, data, kernel, source, between, spread, values)
        for node, data, kernel, source, between, spread in found
    ]


def _describe(
    graph: TFGraph,
    node: Any,
    data: str,
    kernel: str,
    source: str,
    between: tuple[Any, ...],
    spread: tuple[tuple[int, int], str] | None,
    values: dict[str, NDArray[Any]],
) -> Convolution:
    weights = values.get(kernel)
    if weights is not None:
        weights = _filters_first(node, weights)
    return Convolution(
        node=node,
        layer=graph.layer(node),
        data=data,
        source=source,
        between=between,
        magnitude=_magnitude(values[source]),
        kernel=weights,
        kernel_tensor=kernel,
        filters=describe_filters(weights)
        if weights is not None
        else Filters(False, False, "weights depend on the image"),
        spread=spread[0] if spread else None,
        spread_padding=spread[1] if spread else "VALID",
    )


def _spread(graph: TFGraph, data: str) -> tuple[tuple[int, int], str] | None:
    """Dilation and padding of the form SpaceToBatchND -> convolution -> BatchToSpaceND."""
    node = graph.producer(data)
    if node.op != "SpaceToBatchND":
        return None
    _, block, paddings = graph.inputs(node)
    if not graph.is_constant(block) or not graph.is_constant(paddings):
        return None
    values = graph.values([block, paddings])
    height, width = (int(n) for n in values[block].reshape(-1)[:2])
    # VALID pads at the end only, up to a multiple of the block
    return (height, width), "SAME" if values[paddings][:, 0].any() else "VALID"


def _source(graph: TFGraph, tensor: str) -> tuple[str, tuple[Any, ...]]:
    between = []
    tensor = graph.resolve(tensor)
    while (node := graph.producer(tensor)).op in _MOVES:
        between.append(node)
        tensor = graph.resolve(graph.inputs(node)[0])
    return tensor, tuple(between)


def _filters_first(node: Any, kernel: NDArray[Any]) -> NDArray[Any]:
    if node.op == DEPTHWISE:  # height, width, channels, multiplier
        height, width = kernel.shape[:2]
        return np.moveaxis(kernel.reshape(height, width, 1, -1), -1, 0)
    if node.op == "Conv2DBackpropInput":  # height, width, out, in
        return np.moveaxis(kernel, 2, 0)
    if node.op == "MatMul" and node.attr["transpose_b"].b:
        return kernel
    return np.moveaxis(kernel, -1, 0)


def _magnitude(values: NDArray[Any]) -> float | None:
    if values.size < 2 or values.dtype.kind != "f":
        return None
    magnitude = np.abs(values)
    first = float(magnitude.flat[0])
    return first if first > 0 and bool((magnitude == magnitude.flat[0]).all()) else None


def _pair(node: Any, attribute: str) -> tuple[int, int]:
    values = list(node.attr[attribute].list.i)
    return (int(values[1]), int(values[2])) if len(values) == 4 else (1, 1)
