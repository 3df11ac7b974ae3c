"""Larq Compute Engine's operators."""

from converters.graph import packed_words
from converters.graph.lce_ops import SAME, BconvOptions, PoolOptions
from converters.graph.model import Tensor
from converters.untrusted.node import Node, scratch, value_work
from converters.untrusted.windows import output_size

_VALUES = ("FLOAT32", "INT8", "BOOL")


def quantize(node: Node) -> None:
    """Values to sign bits."""
    node.arity(1)
    source = node.input(0)
    node.dtypes(source, *_VALUES)
    node.rank(source, 1, 4)
    node.expect((*source.shape[:-1], packed_words(source.shape[-1])), "INT32")
    _no_options(node)
    node.work(value_work(source))


def dequantize(node: Node) -> None:
    """Sign bits to values."""
    node.arity(1)
    source, target = node.input(0), node.output
    node.dtypes(target, *_VALUES)
    node.rank(source, 1, 4)
    node.rank(target, 1, 4)
    words = packed_words(target.shape[-1])
    node.require(
        source.dtype == "INT32" and source.shape == (*target.shape[:-1], words),
        f"makes {target.shape} of {source.dtype} {source.shape}",
    )
    _no_options(node)
    node.work(value_work(target))


def bconv(node: Node) -> None:
    """Binary convolution; the graph reader has checked slots and constants."""
    options = node.op.options
    if not isinstance(options, BconvOptions):
        raise node.fail("has no options")
    _canonical(node, options)
    source, kernel, target = node.input(0), node.input(1), node.output
    (batch, height, width, words), (filters, kh, kw, depth) = source.shape, kernel.shape
    groups = words // depth
    node.require(
        groups == 1 or (options.channels_in % (32 * groups) == 0 and filters % groups == 0),
        f"has {options.channels_in} channels and {filters} filters in {groups} groups",
    )
    oh = output_size(
        node, height, kh, options.stride_height, options.dilation_height_factor, options.padding
    )
    ow = output_size(
        node, width, kw, options.stride_width, options.dilation_width_factor, options.padding
    )
    packed = target.dtype == "INT32"
    if not packed:
        node.dtypes(target, "FLOAT32", "INT8")
    zero_padded = (options.padding, options.pad_values) == (SAME, 0)
    if packed and zero_padded:
        # LCE's reference kernel, the only one of LCE's that takes these, reads it
        node.require(node.optional(2) is not None, "needs a multiplier (zero padding, packed)")
    for slot, dtype in ((2, "FLOAT32"), (3, "FLOAT32"), (4, "INT32")):
        _per_filter(node, node.optional(slot), filters, dtype, slot)
    node.expect((batch, oh, ow, packed_words(filters) if packed else filters), target.dtype)
    window = kh * kw * depth
    extent = ((kh - 1) * options.dilation_height_factor + 1) * (
        (kw - 1) * options.dilation_width_factor + 1
    )
    node.work(
        batch * oh * ow * filters * window * 32,
        scratch(batch * oh * ow * kh * kw * words, "INT32")
        + (scratch(extent * filters, "FLOAT32") if zero_padded else 0),
    )


def max_pool(node: Node) -> None:
    """Maximum of sign bits."""
    node.arity(1)
    options = node.op.options
    if not isinstance(options, PoolOptions):
        raise node.fail("has no options")
    _canonical(node, options)
    source = node.input(0)
    node.require(source.dtype == "INT32", f"has {source.dtype} as input")
    node.rank(source, 4, 4)
    batch, height, width, words = source.shape
    oh = output_size(node, height, options.filter_height, options.stride_height, 1, options.padding)
    ow = output_size(node, width, options.filter_width, options.stride_width, 1, options.padding)
    node.expect((batch, oh, ow, words), "INT32")
    window = min(options.filter_height, height) * min(options.filter_width, width)
    node.work(batch * oh * ow * words * window)


def _canonical(node: Node, options: BconvOptions | PoolOptions) -> None:
    """The options' bytes are those that LCE's converter writes for these values.

    The C++ kernels look keys up without checking a single offset, so nothing else is accepted.
    """
    node.require(
        node.op.custom_options == options.pack(), "has options that LCE's converter does not write"
    )


def _no_options(node: Node) -> None:
    node.require(not node.op.custom_options, "has options")


def _per_filter(node: Node, tensor: Tensor | None, filters: int, dtype: str, slot: int) -> None:
    if tensor is not None:
        node.require(
            tensor.dtype == dtype and tensor.shape == (filters,) and tensor.data is not None,
            f"has an input {slot} that is not a constant {dtype} of shape ({filters},)",
        )
