"""Random networks for the passes, and what they compute before and after."""

from dataclasses import asdict
from typing import Any

import numpy as np
from hypothesis import strategies as st

from converters.graph import Graph, fused_activation, packed_words, pool_options, read_graph
from converters.graph.lce_ops import ACTIVATIONS
from converters.passes import PassResult
from tests.native import emulator, nets
from tests.native.cases import Case, random_input
from tests.native.emulator import geometry
from tests.native.layer_models import KERNELS, add_bconv, bconv_options, pick
from tests.native.nets import Array, Net, NetBuilder, write_model

Rng = np.random.Generator
SEEDS = st.integers(0, 2**32 - 1)
CHANNELS = (1, 8, 16, 24, 33, 40, 64)
INPUT_SETS = 2


def graph_of(net: Net) -> Graph:
    """The network as the passes see it."""
    return read_graph(write_model(net))


def net_of(graph: Graph) -> Net:
    """The inverse, for the emulator: by the project's reader, not by the passes."""
    tensors = []
    for t in graph.tensors:
        given = {} if t.quantization is None else _affine(t.quantization)
        tensors.append(nets.Tensor(t.shape, t.dtype.lower(), t.data, **given))
    ops = []
    for op in graph.ops:
        options: dict[str, int] = {} if op.options is None else asdict(op.options)
        activation = fused_activation(graph, op)
        if op.name == "MAX_POOL_2D":
            pool = pool_options(graph, op)
            assert pool is not None
            options = {"padding": pool.padding, "strideH": pool.stride_height}
            options |= {"strideW": pool.stride_width, "filterHeight": pool.filter_height}
            options |= {"filterWidth": pool.filter_width}
        if activation is not None:
            options["fusedActivationFunction"] = ACTIVATIONS.index(activation)
        ops.append(nets.Op(op.name, op.inputs, op.outputs, options))
    return Net(tuple(tensors), tuple(ops), graph.inputs, graph.outputs)


def _affine(quantization: Any) -> dict[str, Any]:
    scale, zero = float(quantization.scale[0]), int(quantization.zero_point[0])
    return {"scale": scale, "zero_point": zero}


def inputs_for(rng: Rng, net: Net) -> list[list[Array]]:
    """Random inputs, bits unused are 0."""
    return [[random_input(rng, net, i) for i in net.inputs] for _ in range(INPUT_SETS)]


def assert_same_bits(before: Graph, after: Graph, rng: Rng) -> None:
    """The emulator's outputs of both graphs, which are LCE's bit for bit, are equal."""
    net, rewritten = net_of(before), net_of(after)
    for inputs in inputs_for(rng, net):
        expected = emulator.run(net, inputs, emulator.CORRECTION)
        found = emulator.run(rewritten, inputs, emulator.CORRECTION)
        for a, b in zip(expected, found, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(_bits(a), _bits(b))


def _bits(values: Array) -> Array:
    if values.dtype != np.float32:
        return values
    # 0 and -0 are equal to every reader; NaN does not come up
    return (values + np.float32(0)).view(np.int32)


def case(index: int, graph: Graph, inputs: list[list[Array]]) -> Case:
    """For the executors of ``tests.native``."""
    return Case(index, 0, "pass", net_of(graph), graph.data, inputs)


def assert_settled(result: PassResult, again: PassResult) -> None:
    """A second run changed nothing, and said so."""
    assert result.modified
    assert not again.modified
    assert again.graph is result.graph


# -- building blocks --------------------------------------------------------------------------


def image(net: NetBuilder, rng: Rng, size: int = 5) -> int:
    """Float graph input."""
    batch, height, width = (int(n) for n in rng.integers((1, size, size), (3, 11, 11)))
    return net.input((batch, height, width, pick(rng, CHANNELS)), "float32")


def quantize(net: NetBuilder, source: int) -> int:
    """``LceQuantize``."""
    shape = net.shape(source)
    target = net.tensor((*shape[:-1], packed_words(shape[-1])), "int32")
    return net.op(nets.QUANTIZE, [source], target)


def unary(net: NetBuilder, name: str, source: int) -> int:
    """An operator that keeps the shape."""
    return net.op(name, [source], net.tensor(net.shape(source), "float32"))


def binary(net: NetBuilder, name: str, a: int, b: int, activation: int = nets.NONE) -> int:
    """``ADD`` or ``MUL``."""
    shape = np.broadcast_shapes(net.shape(a), net.shape(b))
    target = net.tensor(shape, "float32")
    return net.op(name, [a, b], target, fusedActivationFunction=activation)


def max_pool(
    net: NetBuilder, source: int, size: int, stride: int, padding: int, activation: int = nets.NONE
) -> int:
    """``MAX_POOL_2D``."""
    shape = net.shape(source)
    out = [geometry(n, size, stride, 1, padding)[0] for n in shape[1:3]]
    target = net.tensor((shape[0], *out, shape[3]), "float32")
    options = {"padding": padding, "strideH": stride, "strideW": stride, "filterHeight": size}
    options |= {"filterWidth": size, "fusedActivationFunction": activation}
    return net.op("MAX_POOL_2D", [source], target, **options)


def conv(
    net: NetBuilder,
    rng: Rng,
    source: int,
    channels: int,
    count: int,
    padding: str,
    *,
    output: str = "float32",
    activation: int = nets.NONE,
    strides: bool = True,
) -> int:
    """A binary convolution whose window fits into the image."""
    while True:
        kernel = pick(rng, KERNELS)
        options = bconv_options(rng, padding, channels, activation)
        if not strides:
            options |= {"stride_height": 1, "stride_width": 1}
        fits = all(
            n >= (k - 1) * options[f"dilation_{side}_factor"] + 1
            for n, k, side in zip(net.shape(source)[1:3], kernel, ("height", "width"), strict=True)
        )
        if fits:
            return add_bconv(net, rng, source, count, kernel, options, output)


def sign_chain(rng: Rng, *, pooled: bool, padding: str | None = None) -> Net:
    """Convolution, random steps, sign, and a reader of the signs."""
    net = NetBuilder()
    channels = int(pick(rng, CHANNELS))
    count = int(pick(rng, CHANNELS))
    batch, height, width = (int(n) for n in rng.integers((1, 5, 5), (3, 11, 11)))
    bits = net.input((batch, height, width, packed_words(channels)), "int32")
    chosen = padding or pick(rng, ("valid", "same0", "same1"))
    activation = 0 if chosen == "same0" else int(pick(rng, (0, 0, 0, 1, 2, 3)))
    x = conv(net, rng, bits, channels, count, chosen, activation=activation, strides=not pooled)
    kinds = [str(k) for k in rng.choice(["clip", "relu", "mul", "add"], int(rng.integers(0, 4)))]
    if pooled:
        kinds.insert(int(rng.integers(len(kinds) + 1)), "pool")
        kinds += ["mul", "add"] if rng.random() < 0.5 else []  # a batch norm behind it
    for kind in kinds:
        x = _step(net, rng, x, kind)
    signs = quantize(net, x)
    reader = pick(rng, ("conv", "packed conv", "packed conv", "packed conv", "signs", "dequantize"))
    if reader == "signs":
        return net.build(signs)
    if reader == "dequantize":
        target = net.tensor((*net.shape(signs)[:3], count), "float32")
        return net.build(net.op(nets.DEQUANTIZE, [signs], target))
    output = "float32" if reader == "conv" else "int32"
    following = pick(rng, ("valid", "same0", "same1", "same0"))
    out = int(pick(rng, CHANNELS))
    return net.build(conv(net, rng, signs, count, out, following, output=output))


def _step(net: NetBuilder, rng: Rng, x: int, kind: str) -> int:
    shape = net.shape(x)
    if kind == "pool":
        size, stride, padding = (int(n) for n in rng.integers((1, 1, 0), (4, 3, 2)))
        size = size if min(shape[1:3]) >= size else 1
        return max_pool(net, x, size, stride, padding, int(pick(rng, (0, 0, 2, 1))))
    if kind in ("clip", "relu"):
        return unary(net, "RELU_N1_TO_1" if kind == "clip" else pick(rng, ("RELU", "RELU6")), x)
    count = shape[3] if rng.random() < 0.8 else 1
    values = rng.normal(0, 1, count) * rng.choice([1.0, 1.0, 4.0, 0.0], count)
    if rng.random() < 0.3:
        values = np.round(values)
    constant = net.constant(values.astype(np.float32))
    operands = (x, constant) if rng.random() < 0.5 else (constant, x)
    return binary(net, kind.upper(), *operands, int(pick(rng, (0, 0, 2, 1))))
