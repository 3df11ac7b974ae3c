"""Multiply-accumulates of an operator, for one image."""

from converters.explain.kinds import is_multiplier
from converters.explain.wiring import Wiring, num_elements
from converters.graph import BCONV, BconvOptions, Op


def macs_of(op: Op, wiring: Wiring) -> int | None:
    """Multiply-accumulates, 0 for operators without; None where the file leaves sizes open.

    Taps on padding count, as they do in every table of the literature.
    """
    tensors = wiring.graph.tensors
    if not op.outputs:
        return 0
    output = tensors[op.outputs[0]].shape
    if op.is_custom and op.name == BCONV and isinstance(op.options, BconvOptions):
        filters, height, width, words = tensors[op.inputs[1]].shape
        pixels = num_elements(output[:3])
        groups = max(1, -(-op.options.channels_in // 32) // max(1, words))
        depth = height * width * (op.options.channels_in // groups)
        return None if pixels is None else pixels * filters * depth
    if not is_multiplier(op):
        return 0
    weights = tensors[op.inputs[1]].shape
    source = tensors[op.inputs[0]].shape
    if op.name == "CONV_2D" and len(weights) == 4:
        return _times(num_elements(output), weights[1] * weights[2] * weights[3])
    if op.name == "DEPTHWISE_CONV_2D" and len(weights) == 4:
        return _times(num_elements(output), weights[1] * weights[2])
    if op.name == "TRANSPOSE_CONV" and len(weights) == 4 and len(op.inputs) > 2:
        # OHWI weights: every input value meets height * width * output channels of them
        pixels = num_elements(tensors[op.inputs[2]].shape)
        return _times(pixels, weights[0] * weights[1] * weights[2])
    if op.name == "CONV_3D" and len(weights) == 5:
        return _times(num_elements(output), weights[0] * weights[1] * weights[2] * weights[3])
    if op.name == "FULLY_CONNECTED" and len(weights) == 2:
        return _times(num_elements(output), weights[1])
    if op.name == "BATCH_MATMUL" and len(source) >= 2 and len(output) >= 2:
        # whichever of its last two axes is transposed, a left matrix has rows * depth values
        values, rows = num_elements(source[-2:]), output[-2]
        return None if values is None or rows < 1 else _times(num_elements(output), values // rows)
    return None


def packed_macs(op: Op, wiring: Wiring) -> int | None:
    """Multiply-accumulates with a binary convolution's channels rounded up to whole words."""
    macs = macs_of(op, wiring)
    if not macs or not (op.is_custom and op.name == BCONV and isinstance(op.options, BconvOptions)):
        return macs
    words = wiring.graph.tensors[op.inputs[1]].shape[3]
    groups = max(1, -(-op.options.channels_in // 32) // max(1, words))
    return macs * 32 * words // max(1, op.options.channels_in // groups)


def _times(count: int | None, each: int) -> int | None:
    return None if count is None or each < 0 else count * each
