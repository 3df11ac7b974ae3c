"""Clips that only give their sign."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from pass_nets import (
    SEEDS,
    Rng,
    assert_same_bits,
    assert_settled,
    binary,
    graph_of,
    image,
    max_pool,
    quantize,
    unary,
)

from converters.passes import drop_clips
from tests.native import nets
from tests.native.layer_models import pick
from tests.native.nets import Net, NetBuilder

CLIP = "RELU_N1_TO_1"


def random_net(rng: Rng) -> Net:
    """Clips, fused and not, in front of signs and other readers."""
    net = NetBuilder()
    values = [image(net, rng)]
    for _ in range(int(rng.integers(2, 7))):
        x = pick(rng, values)
        kind = pick(rng, ("clip", "clip", "relu", "add", "mul", "pool"))
        activation = int(pick(rng, (0, 1, 2, 2, 3)))
        if kind == "clip":
            values.append(unary(net, CLIP, x))
        elif kind == "relu":
            values.append(unary(net, pick(rng, ("RELU", "RELU6")), x))
        elif kind == "pool":
            values.append(max_pool(net, x, 2, 1, nets.SAME, activation))
        else:
            constant = net.constant(rng.normal(0, 2, net.shape(x)[3]).astype(np.float32))
            values.append(binary(net, kind.upper(), x, constant, activation))
    read = {i for op in net.ops for i in op.inputs}
    outputs = [x if rng.random() < 0.2 else quantize(net, x) for x in values[1:] if x not in read]
    return net.build(*outputs)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_random_networks_keep_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(random_net(rng))
    result = drop_clips.run(graph, "lce")
    if result.modified:
        # (NaN is none of the promise)
        assert_same_bits(graph, result.graph, rng)
        assert_settled(result, drop_clips.run(result.graph, "lce"))


def single(make: Callable[[NetBuilder, int], tuple[int, ...]]) -> Net:
    net = NetBuilder()
    return net.build(*make(net, net.input((1, 4, 4, 40), "float32")))


def clip_then_sign(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, unary(net, CLIP, x)),)


def clips_in_a_row(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, unary(net, CLIP, unary(net, CLIP, x))),)


def fused_into_add(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, binary(net, "ADD", x, x, nets.RELU_N1_TO_1)),)


def in_front_of_a_pool(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, max_pool(net, unary(net, CLIP, x), 2, 2, nets.VALID)),)


def fused_into_a_pool(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, max_pool(net, x, 2, 2, nets.VALID, nets.RELU_N1_TO_1)),)


def bounds(net: NetBuilder, x: int, low: float, high: float) -> int:
    for name, value in [("MINIMUM", high), ("MAXIMUM", low)]:
        constant = net.constant(np.float32([value] * 40 if name == "MINIMUM" else value))
        x = net.op(name, [x, constant], net.tensor(net.shape(x), "float32"))
    return x


def other_bounds(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, bounds(net, x, -0.5, 0.0)),)


def of_an_input_with_two_signs(net: NetBuilder, x: int) -> tuple[int, ...]:
    y = unary(net, CLIP, x)
    return quantize(net, y), quantize(net, y)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (clip_then_sign, 1),
        (clips_in_a_row, 2),
        (fused_into_add, 1),
        (in_front_of_a_pool, 1),
        (fused_into_a_pool, 1),
        (other_bounds, 2),
        (of_an_input_with_two_signs, 1),
    ],
)
def test_fires(make: Callable[[NetBuilder, int], tuple[int, ...]], count: int) -> None:
    graph = graph_of(single(make))
    result = drop_clips.run(graph, "lce")
    assert len(result.rewrites) == count
    assert not result.refusals
    assert not result.graph.ops_named(CLIP)
    assert_same_bits(graph, result.graph, np.random.default_rng(0))
    assert_settled(result, drop_clips.run(result.graph, "lce"))


def value_is_output(net: NetBuilder, x: int) -> tuple[int, ...]:
    y = unary(net, CLIP, x)
    return y, quantize(net, y)


def value_is_read(net: NetBuilder, x: int) -> tuple[int, ...]:
    y = unary(net, CLIP, x)
    return quantize(net, y), binary(net, "ADD", y, x)


def behind_a_pool_with_relu(net: NetBuilder, x: int) -> tuple[int, ...]:
    return (quantize(net, max_pool(net, unary(net, CLIP, x), 2, 2, nets.VALID, nets.RELU6)),)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (value_is_output, "its value is an output of the file"),
        (value_is_read, "ADD reads its value"),
        (behind_a_pool_with_relu, "MAX_POOL_2D reads its value"),
    ],
)
def test_refusals(make: Callable[[NetBuilder, int], tuple[int, ...]], reason: str) -> None:
    graph = graph_of(single(make))
    result = drop_clips.run(graph, "lce")
    assert result.graph is graph
    assert [r.reason for r in result.refusals] == [reason]


@pytest.mark.parametrize(("low", "high", "left"), [(0.0, 1.0, "MAXIMUM"), (-1.0, -0.5, "MINIMUM")])
def test_bounds_that_change_signs_are_never_touched(low: float, high: float, left: str) -> None:
    net = NetBuilder()
    x = net.input((1, 4, 4, 40), "float32")
    graph = graph_of(net.build(quantize(net, bounds(net, x, low, high))))
    result = drop_clips.run(graph, "lce")
    assert result.graph.ops_named(left)
    if result.modified:
        assert_same_bits(graph, result.graph, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["RELU", "RELU6"])
def test_relu_is_never_touched(name: str) -> None:
    net = NetBuilder()
    x = net.input((1, 4, 4, 40), "float32")
    y = binary(net, "ADD", x, x, getattr(nets, name))
    graph = graph_of(net.build(quantize(net, unary(net, name, x)), quantize(net, y)))
    result = drop_clips.run(graph, "lce")
    assert result.graph is graph
    assert not result.refusals
