"""Random single convolutions: everything LCE's format can say about ``LceBconv2d``.

Each generator takes a NumPy generator and returns a ``Net``; ``CONVOLUTIONS`` names them.
Multipliers and biases are mixtures that include negative, zero, huge and tiny values, and
thresholds include both ends of int32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from converters.graph import pack_bits, packed_words
from tests.native import nets
from tests.native.emulator import geometry
from tests.native.nets import Array, Net, NetBuilder

Rng = np.random.Generator

CHANNELS_IN = (1, 16, 33, 40, 64, 96, 128, 256)
CHANNELS_OUT = (1, 8, 16, 24, 33, 64, 100)
KERNELS = ((1, 1), (2, 2), (3, 3), (3, 1), (1, 3), (5, 5), (7, 7))
ACTIVATIONS = (nets.NONE, nets.RELU, nets.RELU6, nets.RELU_N1_TO_1)
PADDINGS = {"valid": (nets.VALID, 0), "same0": (nets.SAME, 0), "same1": (nets.SAME, 1)}
MAX_MACS = 30_000_000
MAX_LARGE_MACS = 150_000_000


def pick(rng: Rng, values: Any) -> Any:
    """One of ``values``."""
    return values[int(rng.integers(len(values)))]


def random_words(rng: Rng, shape: tuple[int, ...], channels: int) -> Array:
    """Packed random signs, shape ``(*shape, words)``; unused bits are 0."""
    balance = pick(rng, (0.5, 0.5, 0.5, 0.1, 0.9, 0.0, 1.0))  # 0 and 1: the largest sums
    return pack_bits(rng.random((*shape, channels)) < balance)


def random_multipliers(rng: Rng, count: int) -> Array:
    """float32 ``(count,)``."""
    kind = pick(rng, ("one", "normal", "normal", "mixed", "extreme"))
    values = np.ones(count)
    if kind != "one":
        values = rng.normal(0, 1, count)
    if kind == "mixed":
        values *= rng.choice([0.0, 1.0, -1.0, 0.125], count)
    if kind == "extreme":
        values *= 10.0 ** rng.uniform(-42, 30, count)
    return values.astype(np.float32)


def random_biases(rng: Rng, multipliers: Array, k: int) -> Array:
    """float32, of the size of the convolution's values times the multipliers, or 0."""
    spread = np.abs(multipliers.astype(np.float64)) * np.sqrt(k)
    kind = pick(rng, ("zero", "normal", "normal", "integer"))
    if kind == "zero":
        return np.zeros_like(multipliers)
    values = rng.normal(0, 1, multipliers.shape) * (spread + rng.random(multipliers.shape))
    if kind == "integer":
        values = np.round(values) * rng.choice([0, 1, 1], multipliers.shape)
    return values.astype(np.float32)


def random_thresholds(rng: Rng, count: int, k: int) -> Array:
    """int32 ``(count,)`` around k / 2, with some at both ends of int32 and some negative."""
    values = np.round(rng.normal(k / 2, np.sqrt(k), count)).astype(np.int64)
    special = rng.choice([-(2**31), 2**31 - 1, -1, 0, k, k // 2], count)
    return np.where(rng.random(count) < 0.2, special, values).astype(np.int32)


def random_image_size(rng: Rng, effective: int, stride: int, small: bool) -> int:
    """Height or width for an effective kernel size; ``small`` is below it."""
    if small:
        return int(rng.integers(1, max(effective, 2)))
    return effective + int(rng.integers(0, 9)) + int(rng.integers(0, stride + 1))


def bconv_options(rng: Rng, padding: str, channels: int, activation: int) -> dict[str, int]:
    """All eight options; strides and dilations up to 3, often equal in both directions."""
    strides = [int(n) for n in rng.choice([1, 1, 2, 3], 2)]
    dilations = [int(n) for n in rng.choice([1, 1, 1, 2, 3], 2)]
    if rng.random() < 0.7:
        strides[1], dilations[1] = strides[0], dilations[0]
    pad, value = PADDINGS[padding]
    return {
        "channels_in": channels,
        "stride_height": strides[0],
        "stride_width": strides[1],
        "dilation_height_factor": dilations[0],
        "dilation_width_factor": dilations[1],
        "padding": pad,
        "pad_values": value,
        "fused_activation_function": activation,
    }


def add_bconv(
    net: NetBuilder,
    rng: Rng,
    source: int,
    count: int,
    kernel: tuple[int, int],
    options: dict[str, int],
    output: str = "float32",
    groups: int = 1,
    dummy_multiplier: bool = True,
) -> int:
    """An ``LceBconv2d`` with random weights; returns its output tensor.

    Args:
        net: receives tensors and operator.
        rng: source of weights, multipliers, biases, thresholds and int8 scales.
        source: packed input tensor.
        count: output channels.
        kernel: height and width.
        options: see :func:`bconv_options`.
        output: float32, int8 or int32 (bitpacked).
        groups: of the convolution.
        dummy_multiplier: for bitpacked output, supply inputs 2 and 3, which mean nothing there
            but which LCE's reference kernel demands when it pads with zeros.
    """
    depth = options["channels_in"] // groups
    k = kernel[0] * kernel[1] * depth
    filters = net.constant(random_words(rng, (count, *kernel), depth))
    multipliers = random_multipliers(rng, count)
    biases = random_biases(rng, multipliers, k)
    shape = [net.shape(source)[0]]
    for axis, side in enumerate(("height", "width")):
        stride, dilation = options[f"stride_{side}"], options[f"dilation_{side}_factor"]
        size = net.shape(source)[axis + 1]
        shape.append(geometry(size, kernel[axis], stride, dilation, options["padding"])[0])
    affine = [nets.ABSENT, nets.ABSENT]
    thresholds = nets.ABSENT
    if output == "int32":
        thresholds = net.constant(random_thresholds(rng, count, k))
        multipliers, biases = np.ones(count, np.float32), np.zeros(count, np.float32)
    elif output == "int8":  # keep the values in a range that int8 can mostly show
        multipliers = rng.normal(0, 1, count).astype(np.float32)
        biases = random_biases(rng, multipliers, k)
    if output != "int32" or dummy_multiplier:
        affine = [net.constant(multipliers), net.constant(biases)]
    quantization: dict[str, Any] = {}
    if output == "int8":
        quantization["scale"] = float(np.sqrt(k) * 10 ** rng.uniform(-2.5, -1))
        quantization["zero_point"] = int(pick(rng, (-128, 127, 0, int(rng.integers(-50, 50)))))
    channels = packed_words(count) if output == "int32" else count
    target = net.tensor([*shape, channels], output, **quantization)
    return net.op(nets.BCONV, [source, filters, *affine, thresholds], target, **options)


def random_bconv(
    rng: Rng,
    padding: str,
    output: str = "float32",
    activation: int = nets.NONE,
    *,
    grouped: bool = False,
    small: bool = False,
    dummy: bool = True,
) -> Net:
    """One binary convolution on a packed input; arguments as in :func:`add_bconv`."""
    while True:
        groups = int(pick(rng, (2, 3, 4))) if grouped else 1
        channels = groups * int(pick(rng, (32, 64, 96))) if grouped else pick(rng, CHANNELS_IN)
        count = groups * int(pick(rng, (1, 8, 11, 16))) if grouped else pick(rng, CHANNELS_OUT)
        kernel = pick(rng, KERNELS)
        options = bconv_options(rng, padding, channels, activation)
        sizes, too_small = [], []
        for axis, side in enumerate(("height", "width")):
            effective = (kernel[axis] - 1) * options[f"dilation_{side}_factor"] + 1
            below = small and rng.random() < 0.7
            sizes.append(random_image_size(rng, effective, options[f"stride_{side}"], below))
            too_small.append(sizes[-1] < effective)
        batch = int(rng.integers(1, 4))
        macs = batch * sizes[0] * sizes[1] * count * kernel[0] * kernel[1] * channels // groups
        if macs <= MAX_MACS and any(too_small) == small:
            break
    net = NetBuilder()
    source = net.input((batch, *sizes, packed_words(channels)), "int32")
    return net.build(add_bconv(net, rng, source, count, kernel, options, output, groups, dummy))


def large_bconv(rng: Rng, padding: str, output: str) -> Net:
    """Sizes of real networks: several tiles of every kernel, work for several threads."""
    while True:
        channels = int(pick(rng, (40, 64, 128, 256, 512)))
        count = int(pick(rng, (64, 100, 128, 256, 512)))
        size = int(pick(rng, (7, 14, 15, 28, 56)))
        kernel = pick(rng, ((1, 1), (3, 3), (3, 3), (5, 5)))
        if size * size * channels * count * kernel[0] * kernel[1] <= MAX_LARGE_MACS:
            break
    net = NetBuilder()
    source = net.input((1, size, size, packed_words(channels)), "int32")
    options = bconv_options(rng, padding, channels, nets.NONE)
    options |= {"dilation_height_factor": 1, "dilation_width_factor": 1}
    target = add_bconv(net, rng, source, count, kernel, options, output, dummy_multiplier=False)
    return net.build(target)


def wide_bconv(rng: Rng, output: str) -> Net:
    """A window of about 2**16 bits, around what a 16-bit counter can hold."""
    size, channels = pick(rng, ((3, 7296), (3, 7281), (3, 7282), (5, 2624), (5, 2656), (1, 65568)))
    net = NetBuilder()
    source = net.input((1, size + 1, size + 2, packed_words(channels)), "int32")
    options = bconv_options(rng, "valid", channels, nets.NONE)
    options |= {"dilation_height_factor": 1, "dilation_width_factor": 1}
    count = int(pick(rng, (1, 16, 33)))
    kernel = (size, size)
    target = add_bconv(net, rng, source, count, kernel, options, output, dummy_multiplier=False)
    return net.build(target)


def _bconv(padding: str, output: str = "float32", **options: Any) -> Callable[[Rng], Net]:
    def make(rng: Rng) -> Net:
        active = options.get("active")
        given = {key: value for key, value in options.items() if key != "active"}
        activation = nets.NONE if not active else int(pick(rng, ACTIVATIONS[1:]))
        return random_bconv(rng, padding, output, activation, **given)

    return make


CONVOLUTIONS: dict[str, Callable[[Rng], Net]] = {
    "bconv float valid": _bconv("valid"),
    "bconv float valid activation": _bconv("valid", active=True),
    "bconv float same1": _bconv("same1"),
    "bconv float same1 activation": _bconv("same1", active=True),
    "bconv float same1 small image": _bconv("same1", small=True),
    "bconv float same0": _bconv("same0"),
    "bconv float same0 activation": _bconv("same0", active=True),
    "bconv float same0 small image": _bconv("same0", small=True),
    "bconv float valid groups": _bconv("valid", grouped=True),
    "bconv float same0 groups": _bconv("same0", grouped=True),
    "bconv float large": lambda rng: large_bconv(rng, pick(rng, tuple(PADDINGS)), "float32"),
    "bconv float wide window": lambda rng: wide_bconv(rng, "float32"),
    "bconv packed large": lambda rng: large_bconv(rng, pick(rng, ("valid", "same1")), "int32"),
    "bconv packed wide window": lambda rng: wide_bconv(rng, "int32"),
    "bconv packed valid": _bconv("valid", "int32", dummy=False),
    "bconv packed same1": _bconv("same1", "int32", dummy=False),
    "bconv packed same0": _bconv("same0", "int32"),
    "bconv packed same0 small image": _bconv("same0", "int32", small=True),
    "bconv packed same0 no multiplier": _bconv("same0", "int32", dummy=False),
    "bconv packed same1 groups": _bconv("same1", "int32", grouped=True, dummy=False),
    "bconv packed same0 groups": _bconv("same0", "int32", grouped=True),
    "bconv int8 valid": _bconv("valid", "int8"),
    "bconv int8 same1 activation": _bconv("same1", "int8", active=True),
    "bconv int8 same0": _bconv("same0", "int8"),
    "bconv int8 same0 activation": _bconv("same0", "int8", active=True),
    "bconv int8 same1 groups": _bconv("same1", "int8", grouped=True),
}
