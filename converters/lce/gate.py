"""Refuse a converted file in which a binary convolution silently stayed float.

The converter prints no list of what it left alone; an unknown quantizer costs a factor in
speed and size and shows nowhere else.
"""

from converters.graph import BCONV, DEQUANTIZE, MAXPOOL, QUANTIZE, Graph, Op
from converters.lce.binary_convs import BinaryConv
from converters.lce.matching import match_layers
from irnet_keras.errors import CheckFailed

FLOAT_CONVS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
# Ops that keep a -1/+1 tensor in a form a convolution could have read packed.
PASSED_THROUGH = ("PAD", "PADV2", "TRANSPOSE", "RESHAPE", "MUL")


def check_binary(graph: Graph, convs: list[BinaryConv]) -> None:
    """The gate.

    Args:
        graph: the converted file.
        convs: the model's binary convolutions.

    Raises:
        CheckFailed: an operator is unknown, a binary convolution has no ``LceBconv2d`` of exactly
            its weights, there are such ops without a layer, or a float convolution reads an
            ``LceDequantize``.
    """
    check_known_ops(graph)
    uneven = [conv.name for conv in convs if conv.is_conv2d and not conv.is_uniform]
    if uneven:
        raise CheckFailed(
            "the quantized kernels of these layers are not one magnitude per filter, LCE "
            f"would round or refuse them: {', '.join(uneven)}"
        )
    matching = match_layers(graph, convs)
    exact = [m for m in matching.matches if m.differing_bits == 0]
    stayed_float = [conv.name for conv in matching.layers_without_op]
    stayed_float += [m.conv.name for m in matching.matches if m.differing_bits]
    ops = graph.ops_named(BCONV)
    if stayed_float:
        raise CheckFailed(
            f"{len(exact)} of {len(convs)} binary convolutions became {BCONV}; "
            f"these stayed float: {', '.join(stayed_float)}"
        )
    if matching.ops_without_layer:
        raise CheckFailed(
            f"the file has {len(ops)} {BCONV}, the model {len(convs)} binary convolutions"
        )
    readers = float_readers_of_signs(graph)
    if readers:
        names = ", ".join(graph.tensors[op.outputs[0]].name for op in readers)
        raise CheckFailed(f"float convolutions read -1/+1 activations: {names}")


def check_known_ops(graph: Graph) -> None:
    """Refuse a file with custom operators other than LCE's: TensorFlow's, left by the converter.

    Raises:
        CheckFailed: there is one; no runtime here has it.
    """
    known = (BCONV, DEQUANTIZE, MAXPOOL, QUANTIZE)
    unknown = [op for op in graph.ops if op.is_custom and op.name not in known]
    if unknown:
        names = ", ".join(f"{op.name} ({graph.tensors[op.outputs[0]].name})" for op in unknown)
        raise CheckFailed(f"the converter left operators that no runtime has: {names}")


def float_readers_of_signs(graph: Graph) -> list[Op]:
    """Float convolutions that read an ``LceDequantize``, directly or through a harmless op."""
    signs: set[int] = set()
    found = []
    for op in graph.ops:
        if op.name == DEQUANTIZE:
            signs.update(op.outputs)
        elif signs.intersection(op.inputs):
            if op.name in PASSED_THROUGH:
                signs.update(op.outputs)
            elif op.name in FLOAT_CONVS:
                found.append(op)
    return found
