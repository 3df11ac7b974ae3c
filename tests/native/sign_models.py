"""Random single-layer networks of the operators that are no convolution."""

from collections.abc import Callable
from typing import Any

from converters.graph import packed_words
from tests.native import nets
from tests.native.emulator import geometry
from tests.native.layer_models import Rng, pick
from tests.native.nets import Net, NetBuilder

PACK_CHANNELS = (1, 31, 32, 33, 64, 68, 128, 200)


def quantize(rng: Rng, dtype: str) -> Net:
    """``LceQuantize`` of rank 2 or 4."""
    net = NetBuilder()
    shape = _shape(rng)
    scales: dict[str, Any] = {}
    if dtype == "int8":
        scales = {"scale": 0.25, "zero_point": _zero_point(rng)}
    source = net.input(shape, dtype, **scales)
    target = net.tensor((*shape[:-1], packed_words(shape[-1])), "int32")
    return net.build(net.op(nets.QUANTIZE, [source], target))


def dequantize(rng: Rng, dtype: str) -> Net:
    """``LceDequantize`` of rank 2 or 4."""
    net = NetBuilder()
    shape = _shape(rng)
    scales: dict[str, Any] = {}
    if dtype == "int8":
        scales = {"scale": pick(rng, (0.004, 0.0078125, 0.3, 1.0, 3.0)), "zero_point": 0}
        scales["zero_point"] = _zero_point(rng)
    source = net.input((*shape[:-1], packed_words(shape[-1])), "int32")
    return net.build(net.op(nets.DEQUANTIZE, [source], net.tensor(shape, dtype, **scales)))


def bmaxpool(rng: Rng) -> Net:
    """``LceBMaxPool2d``."""
    net = NetBuilder()
    options = {
        "padding": int(rng.integers(2)),
        "stride_height": int(rng.integers(1, 4)),
        "stride_width": int(rng.integers(1, 4)),
        "filter_height": int(rng.integers(1, 5)),
        "filter_width": int(rng.integers(1, 5)),
    }
    batch, height, width = (int(n) for n in rng.integers((1, 4, 4), (4, 12, 12)))
    words = packed_words(pick(rng, PACK_CHANNELS))
    out = [
        geometry(size, options[f"filter_{side}"], options[f"stride_{side}"], 1, options["padding"])
        for size, side in ((height, "height"), (width, "width"))
    ]
    source = net.input((batch, height, width, words), "int32")
    target = net.tensor((batch, out[0][0], out[1][0], words), "int32")
    return net.build(net.op(nets.BMAXPOOL, [source], target, **options))


def _shape(rng: Rng) -> tuple[int, ...]:
    channels = int(pick(rng, PACK_CHANNELS))
    if rng.random() < 0.3:
        return int(rng.integers(1, 9)), channels
    return (*(int(n) for n in rng.integers(1, 8, 3)), channels)


def _zero_point(rng: Rng) -> int:
    return int(pick(rng, (-128, -127, 0, 126, 127, int(rng.integers(-128, 128)))))


SIGNS: dict[str, Callable[[Rng], Net]] = {
    "quantize float32": lambda rng: quantize(rng, "float32"),
    "quantize int8": lambda rng: quantize(rng, "int8"),
    "quantize bool": lambda rng: quantize(rng, "bool"),
    "dequantize float32": lambda rng: dequantize(rng, "float32"),
    "dequantize int8": lambda rng: dequantize(rng, "int8"),
    "dequantize bool": lambda rng: dequantize(rng, "bool"),
    "bmaxpool": bmaxpool,
}
