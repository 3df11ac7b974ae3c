"""A small typed view of a ``.tflite`` file: check, read, and minimal editing. No TensorFlow."""

from converters.graph.bits import pack_bits, packed_words, unpack_signs
from converters.graph.builtin_ops import ConvOptions, conv_options, fused_activation, pool_options
from converters.graph.edit import Edit, embed_buffers, in_output_order, with_operators, with_outputs
from converters.graph.lce_ops import BCONV, DEQUANTIZE, MAXPOOL, QUANTIZE, BconvOptions, PoolOptions
from converters.graph.model import Graph, Op, Quantization, Tensor
from converters.graph.names import layer_name
from converters.graph.reader import read_graph, verify_file

__all__ = [
    # reading
    "Graph",
    "Op",
    "Quantization",
    "Tensor",
    "layer_name",
    "read_graph",
    "verify_file",
    # options of builtin operators
    "ConvOptions",
    "conv_options",
    "fused_activation",
    "pool_options",
    # editing
    "Edit",
    "in_output_order",
    "embed_buffers",
    "with_operators",
    "with_outputs",
    # LCE's ops and bits
    "BCONV",
    "DEQUANTIZE",
    "MAXPOOL",
    "QUANTIZE",
    "BconvOptions",
    "PoolOptions",
    "pack_bits",
    "packed_words",
    "unpack_signs",
]
