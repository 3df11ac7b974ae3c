"""Convolutions, dense layers, pools."""

from converters.graph.model import Tensor
from converters.untrusted.node import MAX_PRODUCT, Node, elements, scratch
from converters.untrusted.windows import output_size

_INTEGERS = ("INT8", "UINT8")
_WEIGHTS = {
    "FLOAT32": ("FLOAT32", "INT8", "UINT8", "INT4", "INT2"),  # integers: weights alone quantized
    "INT8": ("INT8", "INT4", "INT2"),
    "UINT8": ("UINT8",),
}


def conv_2d(node: Node) -> None:
    """Filter ``[out, height, width, in / groups]``."""
    node.arity((2, 3))
    source, kernel = node.input(0), node.input(1)
    options = node.options("Conv2D")
    _weighted(node, source, kernel, filters_axis=0)
    (batch, height, width, channels), (filters, kh, kw, depth) = source.shape, kernel.shape
    node.require(channels % depth == 0, f"has {channels} channels for filters of {depth}")
    groups = channels // depth
    node.require(filters % groups == 0, f"has {filters} filters in {groups} groups")
    oh = output_size(
        node, height, kh, options.StrideH(), options.DilationHFactor(), options.Padding()
    )
    ow = output_size(
        node, width, kw, options.StrideW(), options.DilationWFactor(), options.Padding()
    )
    node.activation(options)
    node.expect((batch, oh, ow, filters), source.dtype)
    window = kh * kw * depth
    node.work(
        batch * oh * ow * filters * window,
        scratch(batch * oh * ow * window * groups, source.dtype),
    )


def depthwise_conv_2d(node: Node) -> None:
    """Filter ``[1, height, width, in * multiplier]``."""
    node.arity((2, 3))
    source, kernel = node.input(0), node.input(1)
    options = node.options("DepthwiseConv2D")
    _weighted(node, source, kernel, filters_axis=3)
    node.require(node.optional(2) is not None, "lacks a bias, which its kernels read")
    (batch, height, width, channels), (one, kh, kw, filters) = source.shape, kernel.shape
    multiplier = options.DepthMultiplier()
    node.require(
        one == 1 and multiplier >= 1 and channels * multiplier == filters,
        f"has filters of shape {kernel.shape} and multiplier {multiplier} for {channels} channels",
    )
    oh = output_size(
        node, height, kh, options.StrideH(), options.DilationHFactor(), options.Padding()
    )
    ow = output_size(
        node, width, kw, options.StrideW(), options.DilationWFactor(), options.Padding()
    )
    node.activation(options)
    node.expect((batch, oh, ow, filters), source.dtype)
    node.work(batch * oh * ow * filters * kh * kw)


def transpose_conv(node: Node) -> None:
    """Inputs: output shape, filter ``[out, height, width, in]``, input, bias."""
    node.arity((3, 4))
    shape = tuple(node.integers(0, 4))
    kernel, source = node.input(1), node.input(2)
    options = node.options("TransposeConv")
    node.dtypes(source, "FLOAT32", "INT8")
    node.require(kernel.dtype == source.dtype, "has filters of another type")
    _weighted(node, source, kernel, filters_axis=0, bias_slot=3)
    node.require(min(shape) >= 1, f"has the output shape {shape}")
    (batch, height, width, channels), (filters, kh, kw, depth) = source.shape, kernel.shape
    sizes = (
        output_size(node, shape[1], kh, options.StrideH(), 1, options.Padding()),
        output_size(node, shape[2], kw, options.StrideW(), 1, options.Padding()),
    )
    node.require(
        shape[0] == batch
        and shape[3] == filters
        and depth == channels
        and sizes == (height, width),
        f"makes {shape} of {source.shape} with filters {kernel.shape}",
    )
    node.activation(options)
    node.expect(shape, source.dtype)
    window = kh * kw * filters
    node.work(
        batch * height * width * channels * window,
        scratch(batch * height * width * window, "INT32") + scratch(elements(node.output), "INT32"),
    )


def fully_connected(node: Node) -> None:
    """Weights ``[out, in]``."""
    node.arity((2, 3))
    source, weights = node.input(0), node.input(1)
    options = node.options("FullyConnected")
    node.dtypes(source, *_WEIGHTS)
    node.rank(source, 1, MAX_DENSE_RANK)
    node.require(len(weights.shape) == 2, f"has weights of shape {weights.shape}")
    _weight_types(node, source, weights, 0)
    _bias(node, source, weights.shape[0], 2)
    node.require(
        options.WeightsFormat() == 0 and not options.QuantSpecLength(),
        f"has weights in format {options.WeightsFormat()}",
    )
    node.activation(options)
    units, depth = weights.shape
    count = elements(source)
    node.require(count % depth == 0, f"has {count} values for weights of shape {weights.shape}")
    if options.KeepNumDims():
        node.require(source.shape[-1] == depth, f"has {source.shape[-1]} values for {depth}")
        shape = (*source.shape[:-1], units)
    else:
        shape = (count // depth, units)
    node.expect(shape, source.dtype)
    node.work(count * units, scratch(count, "FLOAT32"))


MAX_DENSE_RANK = 4


def pool_2d(node: Node) -> None:
    """Average or maximum of a window."""
    node.arity(1)
    source = node.input(0)
    options = node.options("Pool2D")
    node.dtypes(source, "FLOAT32", *_INTEGERS)
    node.dtypes(node.output, source.dtype)
    node.rank(source, 4, 4)
    batch, height, width, channels = source.shape
    kh, kw = options.FilterHeight(), options.FilterWidth()
    oh = output_size(node, height, kh, options.StrideH(), 1, options.Padding())
    ow = output_size(node, width, kw, options.StrideW(), 1, options.Padding())
    node.activation(options)
    node.expect((batch, oh, ow, channels), source.dtype)
    node.scale_ratio(source, node.output)
    # no window reaches beyond the image, whatever its size
    node.work(batch * oh * ow * channels * min(kh, height) * min(kw, width))


def _weighted(
    node: Node, source: Tensor, kernel: Tensor, filters_axis: int, bias_slot: int = 2
) -> None:
    node.dtypes(source, *_WEIGHTS)
    node.rank(source, 4, 4)
    node.rank(kernel, 4, 4)
    _weight_types(node, source, kernel, filters_axis)
    _bias(node, source, kernel.shape[filters_axis], bias_slot)


def _weight_types(node: Node, source: Tensor, kernel: Tensor, axis: int) -> None:
    node.require(
        kernel.dtype in _WEIGHTS[source.dtype],
        f"has {kernel.dtype} weights for {source.dtype} values",
    )
    node.dtypes(node.output, source.dtype)
    if kernel.dtype == "FLOAT32":
        return
    q = kernel.quantization
    if q is None:
        raise node.fail("has integer weights without a scale")
    node.require(
        len(q.scale) == 1 or (q.axis == axis and len(q.scale) == kernel.shape[axis]),
        f"has {len(q.scale)} weight scales on axis {q.axis}",
    )
    if kernel.dtype != "UINT8":
        node.require(not q.zero_point.any(), "has weights with a zero point other than 0")
    a, b = source.quantization, node.output.quantization
    if source.dtype != "FLOAT32" and a is not None and b is not None:
        largest = float(a.scale[0]) * float(q.scale.max()) / float(b.scale[0])
        node.require(largest <= MAX_PRODUCT, f"multiplies by {largest:.3g}")
        node.scale_ratio(source, node.output)


def _bias(node: Node, source: Tensor, filters: int, slot: int) -> None:
    bias = node.optional(slot)
    if bias is None:
        return
    wanted = "FLOAT32" if source.dtype == "FLOAT32" else "INT32"
    node.require(
        bias.dtype == wanted and bias.shape == (filters,),
        f"has a bias of type {bias.dtype} and shape {bias.shape}, expected {wanted} ({filters},)",
    )
