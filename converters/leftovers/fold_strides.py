"""A convolution of stride 2 on few channels becomes one of stride 1 on four times as many.

    SPACE_TO_DEPTH(2):  z[i, j, (2*a + b)*C + c] = x[2*i + a, 2*j + b, c]
    sum over y of  w[y] * x[2*i - p + y]   =   sum over u, a of  v[u, a] * z[i - q + u, a]
    with  v[u, a] = w[2*u + a - lead],  0 outside of w;  p + lead = 2*q

where ``p`` is the padding in front and ``lead`` its last bit. Exact: the same products, and
products with 0. int8 kernels work on 8 or so channels at once and pad an image's 3 with zeros;
12 channels leave less undone (Bi-Real ResNet-18's stem: benchmarks/leftovers.py).

Needed: even height and width, no dilation, an ungrouped ``CONV_2D`` with constant float32
weights, and that the SAME padding of the new window is the old one's; otherwise it stays.
"""

import numpy as np
from numpy.typing import NDArray

from converters.graph import ConvOptions, Edit, Graph, Op, conv_options
from converters.graph.lce_ops import SAME

BLOCK = 2
MAX_CHANNELS = 4  # more fill the kernels' vectors well enough


def fold_strides(graph: Graph) -> Graph:
    """Rewrite every such convolution; the same object if there is none."""
    edit, found = Edit(graph), False
    for op in graph.ops_named("CONV_2D"):
        options = conv_options(graph, op)
        weights = graph.tensors[op.inputs[1]].data
        if options is None or weights is None or weights.dtype != np.float32:
            continue
        leads = _leads(graph, op, options, weights.shape)
        if leads is None:
            continue
        found = True
        source = graph.tensors[op.inputs[0]]
        _, height, width, channels = source.shape
        shape = (1, height // BLOCK, width // BLOCK, channels * BLOCK**2)
        folded = edit.add_tensor(f"{source.name}/space_to_depth", shape, "FLOAT32")
        edit.insert_space_to_depth(op, op.inputs[0], folded, BLOCK)
        name = graph.tensors[op.inputs[1]].name
        kernel = edit.add_constant(name, folded_weights(weights, leads))
        edit.set_inputs(op, (folded, kernel, *op.inputs[2:]))
        edit.set_strides(op, (1, 1))
    return edit.finish() if found else graph


def folded_weights(weights: NDArray[np.float32], leads: tuple[int, int]) -> NDArray[np.float32]:
    """``v`` of the formula.

    Args:
        weights: ``(filters, height, width, channels)``.
        leads: zeros in front of height and width.

    Returns:
        ``(filters, ceil((height + lead) / 2), likewise, 4 * channels)``.
    """
    filters, height, width, channels = weights.shape
    pads = [
        (lead, (size + lead) % BLOCK) for size, lead in zip((height, width), leads, strict=True)
    ]
    padded = np.pad(weights, [(0, 0), *pads, (0, 0)])
    rows, columns = padded.shape[1] // BLOCK, padded.shape[2] // BLOCK
    blocks = padded.reshape(filters, rows, BLOCK, columns, BLOCK, channels)
    return blocks.transpose(0, 1, 3, 2, 4, 5).reshape(filters, rows, columns, -1)


def _leads(
    graph: Graph, op: Op, options: ConvOptions, kernel: tuple[int, ...]
) -> tuple[int, int] | None:
    """``lead`` of height and width, or None where the rewrite does not hold or help."""
    source = graph.tensors[op.inputs[0]]
    if (
        (options.strides, options.dilation) != ((BLOCK, BLOCK), (1, 1))
        or source.dtype != "FLOAT32"
        or len(source.shape) != 4
        or source.shape[3] > MAX_CHANNELS
        or kernel[3] != source.shape[3]
        or any(n < 1 or n % BLOCK for n in source.shape[1:3])
    ):
        return None
    leads = []
    for size, taps in zip(source.shape[1:3], kernel[1:3], strict=True):
        before = 0
        if options.padding == SAME:
            before = max((size // BLOCK - 1) * BLOCK + taps - size, 0) // 2
        lead = before % BLOCK
        window = -(-(taps + lead) // BLOCK)
        if options.padding == SAME and (window - 1) // 2 != (before + lead) // BLOCK:
            return None
        leads.append(lead)
    return leads[0], leads[1]
