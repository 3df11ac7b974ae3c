"""Random chains of operators: what a delegate could be tempted to merge, and must not always."""

from collections.abc import Callable

import numpy as np

from converters.graph import packed_words
from tests.native import nets
from tests.native.emulator import geometry
from tests.native.layer_models import Rng, add_bconv, bconv_options, pick
from tests.native.nets import Net, NetBuilder

CHANNELS = (1, 16, 24, 32, 33, 64, 96, 128)
ADD_ACTIVATIONS = (nets.NONE, nets.RELU_N1_TO_1, nets.RELU, nets.RELU6)


def _image(net: NetBuilder, rng: Rng) -> int:
    """Float graph input."""
    batch, height, width = (int(n) for n in rng.integers((1, 3, 3), (3, 11, 11)))
    return net.input((batch, height, width, pick(rng, CHANNELS)), "float32")


def _quantize(net: NetBuilder, source: int) -> int:
    shape = net.shape(source)
    target = net.tensor((*shape[:-1], packed_words(shape[-1])), "int32")
    return net.op(nets.QUANTIZE, [source], target)


def _conv(
    net: NetBuilder,
    rng: Rng,
    source: int,
    channels: int,
    count: int,
    *,
    stride: int = 1,
    output: str = "float32",
    padding: str | None = None,
) -> int:
    """3x3 or 1x1 convolution that keeps the size (divided by the stride)."""
    size = 3 if min(net.shape(source)[1:3]) >= 3 and rng.random() < 0.8 else 1
    paddings = ("same1",) if output == "int32" else ("same0", "same1", "same0")
    options = bconv_options(rng, padding or pick(rng, paddings), channels, nets.NONE)
    options |= {"stride_height": stride, "stride_width": stride}
    options |= {"dilation_height_factor": 1, "dilation_width_factor": 1}
    dummy = output != "int32"
    return add_bconv(net, rng, source, count, (size, size), options, output, dummy_multiplier=dummy)


def _binary(net: NetBuilder, name: str, a: int, b: int, activation: int = nets.NONE) -> int:
    shape = np.broadcast_shapes(net.shape(a), net.shape(b))
    target = net.tensor(shape, "float32")
    return net.op(name, [a, b], target, fusedActivationFunction=activation)


def _unary(net: NetBuilder, name: str, source: int) -> int:
    return net.op(name, [source], net.tensor(net.shape(source), "float32"))


def _max_pool(net: NetBuilder, rng: Rng, source: int) -> int:
    size, stride, padding = (int(n) for n in rng.integers((2, 1, 0), (4, 3, 2)))
    shape = net.shape(source)
    if min(shape[1:3]) < size:
        size = 1
    out = [geometry(n, size, stride, 1, padding)[0] for n in shape[1:3]]
    target = net.tensor((shape[0], *out, shape[3]), "float32")
    options = {"padding": padding, "strideH": stride, "strideW": stride, "filterHeight": size}
    options |= {"filterWidth": size, "fusedActivationFunction": int(pick(rng, ADD_ACTIVATIONS))}
    return net.op("MAX_POOL_2D", [source], target, **options)


def _ordered(rng: Rng, a: int, b: int) -> tuple[int, int]:
    return (a, b) if rng.random() < 0.5 else (b, a)


def bireal(rng: Rng) -> Net:
    """Two times quantize, convolve, add the shortcut."""
    net = NetBuilder()
    x = _image(net, rng)
    channels = net.shape(x)[3]
    middle = x
    for _ in range(2):
        middle = x
        y = _conv(net, rng, _quantize(net, x), channels, channels)
        x = _binary(net, "ADD", *_ordered(rng, y, x), int(pick(rng, ADD_ACTIVATIONS)))
    return net.build(*((x,) if rng.random() < 0.5 else (x, middle)))


def normal_block(rng: Rng) -> Net:
    """Convolve, clip, quantize, convolve."""
    net = NetBuilder()
    x = _image(net, rng)
    count = int(pick(rng, CHANNELS))
    y = _conv(net, rng, _quantize(net, x), net.shape(x)[3], count, stride=pick(rng, (1, 2)))
    y = _unary(net, pick(rng, ("RELU_N1_TO_1", "RELU_N1_TO_1", "RELU", "RELU6")), y)
    clipped = y
    y = _conv(net, rng, _quantize(net, y), count, int(pick(rng, CHANNELS)))
    return net.build(*((y,) if rng.random() < 0.7 else (clipped, y)))


def vgg_block(rng: Rng) -> Net:
    """Convolve, pool, scale, add, quantize, convolve; scales of both signs and zero."""
    net = NetBuilder()
    x = _image(net, rng)
    count = int(pick(rng, CHANNELS))
    y = _max_pool(net, rng, _conv(net, rng, _quantize(net, x), net.shape(x)[3], count))
    scale = rng.normal(0, 1, count) * rng.choice([0, 1, 1, 1], count)
    y = _binary(net, "MUL", y, net.constant(scale.astype(np.float32)))
    offset = net.constant(rng.normal(0, 2, count).astype(np.float32))
    y = _binary(net, "ADD", y, offset, int(pick(rng, ADD_ACTIVATIONS)))
    y = _conv(net, rng, _quantize(net, y), count, int(pick(rng, CHANNELS)))
    return net.build(y)


def two_consumers(rng: Rng) -> Net:
    """A convolution's result is read twice, or also is a graph output."""
    net = NetBuilder()
    x = _image(net, rng)
    channels = net.shape(x)[3]
    y = _conv(net, rng, _quantize(net, x), channels, channels)
    total = _binary(net, "ADD", y, x, int(pick(rng, ADD_ACTIVATIONS)))
    kind = pick(rng, ("output", "relu", "quantize", "twice"))
    if kind == "output":
        return net.build(total, y)
    if kind == "relu":
        return net.build(total, _unary(net, "RELU", y))
    if kind == "quantize":
        return net.build(total, _conv(net, rng, _quantize(net, y), channels, 8))
    return net.build(total, _quantize(net, total), _binary(net, "ADD", y, total))


def broadcast_add(rng: Rng) -> Net:
    """ADD of a tensor of another shape, constant or not: never a residual."""
    net = NetBuilder()
    x = _image(net, rng)
    channels = net.shape(x)[3]
    count = int(pick(rng, CHANNELS))
    y = _conv(net, rng, _quantize(net, x), channels, count)
    batch, height, width, _ = net.shape(y)
    shapes = ((count,), (1, 1, 1, count), (batch, height, width, 1), (1, 1, 1, 1))
    shape = pick(rng, (*shapes, (1, height, width, count), (batch, 1, 1, count), (1,)))
    if rng.random() < 0.5:
        other = net.constant(rng.normal(0, 3, shape).astype(np.float32))
    else:
        other = net.input(shape, "float32")
    y = _binary(net, "ADD", *_ordered(rng, y, other), int(pick(rng, ADD_ACTIVATIONS)))
    return net.build(_quantize(net, y), y)


def add_of_convs(rng: Rng) -> Net:
    """Both operands are convolutions (binary downsampling), or the same one twice."""
    net = NetBuilder()
    x = _image(net, rng)
    channels = net.shape(x)[3]
    bits = _quantize(net, x)
    stride, count = int(pick(rng, (1, 2))), int(pick(rng, CHANNELS))
    a = _conv(net, rng, bits, channels, count, stride=stride)
    b = _conv(net, rng, bits, channels, count, stride=stride) if rng.random() < 0.7 else a
    y = _binary(net, "ADD", a, b, int(pick(rng, ADD_ACTIVATIONS)))
    return net.build(_quantize(net, y), y)


def packed_chain(rng: Rng) -> Net:
    """Everything between first and last operator stays packed; ends in float or in signs."""
    net = NetBuilder()
    x = _image(net, rng)
    channels, count = net.shape(x)[3], int(pick(rng, CHANNELS))
    bits = _conv(net, rng, _quantize(net, x), channels, count, output="int32")
    if rng.random() < 0.5:
        shape = net.shape(bits)
        out = net.tensor((shape[0], -(-shape[1] // 2), -(-shape[2] // 2), shape[3]), "int32")
        options = {"padding": nets.SAME, "filter_height": 2, "filter_width": 2}
        bits = net.op(nets.BMAXPOOL, [bits], out, stride_height=2, stride_width=2, **options)
    if rng.random() < 0.5:
        return net.build(_conv(net, rng, bits, count, int(pick(rng, CHANNELS))))
    last = int(pick(rng, CHANNELS))
    bits = _conv(net, rng, bits, count, last, output="int32")
    signs = net.tensor((*net.shape(bits)[:3], last), "float32")
    return net.build(net.op(nets.DEQUANTIZE, [bits], signs))


def late_residual(rng: Rng) -> Net:
    """The other operand of ADD is computed after the convolution."""
    net = NetBuilder()
    x = _image(net, rng)
    channels = net.shape(x)[3]
    y = _conv(net, rng, _quantize(net, x), channels, channels)
    late = _unary(net, pick(rng, ("RELU", "RELU_N1_TO_1")), x)
    y = _binary(net, "ADD", *_ordered(rng, y, late), int(pick(rng, ADD_ACTIVATIONS)))
    return net.build(_conv(net, rng, _quantize(net, y), channels, channels), y)


def constant_residual(rng: Rng) -> Net:
    """The other operand of ADD is a constant of the full shape."""
    net = NetBuilder()
    x = _image(net, rng)
    count = int(pick(rng, CHANNELS))
    y = _conv(net, rng, _quantize(net, x), net.shape(x)[3], count)
    other = net.constant(rng.normal(0, 3, net.shape(y)).astype(np.float32))
    y = _binary(net, "ADD", *_ordered(rng, y, other), int(pick(rng, ADD_ACTIVATIONS)))
    return net.build(y, _quantize(net, y))


def int8_chain(rng: Rng) -> Net:
    """int8 in, int8 between, int8 signs out."""
    net = NetBuilder()
    batch, height, width = (int(n) for n in rng.integers((1, 3, 3), (3, 11, 11)))
    channels, count = (int(pick(rng, CHANNELS)) for _ in range(2))
    quantization = {"scale": 0.05, "zero_point": int(rng.integers(-128, 128))}
    x = net.input((batch, height, width, channels), "int8", **quantization)
    y = _conv(net, rng, _quantize(net, x), channels, count, output="int8", padding="same1")
    z = _conv(net, rng, _quantize(net, y), count, count, output="int32")
    signs = net.tensor((*net.shape(z)[:3], count), "int8", **quantization)
    return net.build(net.op(nets.DEQUANTIZE, [z], signs), y)


CHAINS: dict[str, Callable[[Rng], Net]] = {
    "chain bireal": bireal,
    "chain normal block": normal_block,
    "chain vgg block": vgg_block,
    "chain two consumers": two_consumers,
    "chain broadcast add": broadcast_add,
    "chain add of convs": add_of_convs,
    "chain packed": packed_chain,
    "chain late residual": late_residual,
    "chain constant residual": constant_residual,
    "chain int8": int8_chain,
}
