"""Bitpacked outputs: the same bits as the chain of float operators they replace."""

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
    conv,
    graph_of,
    net_of,
    quantize,
    sign_chain,
    unary,
)

from converters.graph import BCONV, Graph
from converters.passes import pack_outputs
from tests.native import nets
from tests.native.layer_models import random_words
from tests.native.nets import Net, NetBuilder


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_random_chains_keep_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(sign_chain(rng, pooled=False))
    result = pack_outputs.run(graph, "delegate")
    if result.modified:
        if "exactly 0" not in result.rewrites[0].detail:  # tested below
            assert_same_bits(graph, result.graph, rng)
        assert_settled(result, pack_outputs.run(result.graph, "delegate"))


def test_nearly_all_random_chains_are_rewritten() -> None:
    reasons = []
    for seed in range(100):
        net = sign_chain(np.random.default_rng(seed), pooled=False)
        result = pack_outputs.run(graph_of(net), "delegate")
        assert result.modified == (not result.refusals)
        reasons += [refusal.reason for refusal in result.refusals]
    assert len(reasons) <= 10
    known = ("within rounding of 0", "an odd number, and zero padding")
    assert all(any(why in reason for why in known) for reason in reasons)


def block(
    multiplier: np.ndarray, bias: np.ndarray, padding: str = "valid", channels: int = 32
) -> NetBuilder:
    """Bits of 6 x 6 pixels and a 3x3 convolution of that affine; its output is tensor -1."""
    net = NetBuilder()
    bits = net.input((1, 6, 6, -(-channels // 32)), "int32")
    count = len(multiplier)
    rng = np.random.default_rng(7)
    pad, value = {"valid": (1, 0), "same0": (0, 0), "same1": (0, 1)}[padding]
    filters = net.constant(random_words(rng, (count, 3, 3), channels))
    given = [net.constant(np.asarray(v, np.float32)) for v in (multiplier, bias)]
    size = 4 if padding == "valid" else 6
    target = net.tensor((1, size, size, count), "float32")
    options = {f"stride_{side}": 1 for side in ("height", "width")}
    options |= {f"dilation_{side}_factor": 1 for side in ("height", "width")}
    options |= {"channels_in": channels, "padding": pad, "pad_values": value}
    net.op(nets.BCONV, [bits, filters, *given, -1], target, fused_activation_function=0, **options)
    return net


def last(net: NetBuilder) -> int:
    return net.ops[-1].outputs[0]


def fired_once(net: Net, target: str = "delegate") -> Graph:
    result = pack_outputs.run(graph_of(net), target)  # type: ignore[arg-type]
    assert [r.op for r in result.rewrites] == [BCONV]
    assert_same_bits(graph_of(net), result.graph, np.random.default_rng(0))
    return result.graph


def test_scales_and_offsets_of_every_kind(rng: Rng) -> None:
    """Positive, negative, zero and subnormal scales; ties; thresholds out of reach."""
    g = [1, -1, 0, 0, 0, 1, -1, 1, -1, 1e-40, 0.3, -0.3]
    b = [0, 0, 1, -1, 0, 1e6, 1e6, -1e6, -1e6, -1, 0.3, 0.9]
    net = block(np.array(g), np.array(b))
    graph = fired_once(net.build(quantize(net, last(net))))
    (op,) = graph.ops
    assert op.name == BCONV
    assert op.inputs[2:4] == (-1, -1)
    threshold = graph.tensors[op.inputs[4]].data
    assert threshold is not None
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    # sums are even, 288 - 2 acc >= 0 for acc <= 144
    assert threshold.tolist()[:10] == [144, 144, high, low, high, high, high, low, low, low]


def test_negative_scales_negate_filters(rng: Rng) -> None:
    net = block(np.array([1.0, -1.0]), np.array([0.5, 0.5]))
    before = graph_of(net.build(quantize(net, last(net))))
    after = fired_once(net_of(before))
    old, new = (
        np.asarray(g.tensors[g.ops_named(BCONV)[0].inputs[1]].data) for g in (before, after)
    )
    np.testing.assert_array_equal(new, old ^ np.array([0, -1])[:, None, None, None])


def test_zero_padding_is_for_the_delegate() -> None:
    net = block(np.ones(40), np.full(40, 0.25), "same0")
    built = net.build(quantize(net, last(net)))
    refused = pack_outputs.run(graph_of(built), "lce")
    assert not refused.modified
    assert "zero padding" in refused.refusals[0].reason
    graph = fired_once(built)
    multiplier = graph.tensors[graph.ops[0].inputs[2]]
    assert multiplier.data is not None
    assert multiplier.data.tolist() == [1.0] * 40


def test_padding_with_ones_is_for_both() -> None:
    net = block(np.ones(40), np.full(40, 0.25), "same1")
    built = net.build(quantize(net, last(net)))
    graphs = [fired_once(built, target) for target in ("lce", "delegate")]
    assert graphs[0].data == graphs[1].data
    assert graphs[0].ops[0].inputs[2:4] == (-1, -1)


def test_dummy_multipliers_are_shared() -> None:
    rng = np.random.default_rng(2)
    net = NetBuilder()
    x = net.input((1, 9, 9, 1), "int32")
    for _ in range(2):
        y = conv(net, rng, x, 32, 32, "same0", strides=False)
        offset = net.constant(np.full(32, 0.5, np.float32))
        x = quantize(net, binary(net, "ADD", y, offset))
    result = pack_outputs.run(graph_of(net.build(x)), "delegate")
    assert len(result.rewrites) == 2
    first, second = result.graph.ops_named(BCONV)
    assert first.inputs[2] == second.inputs[2] != -1


def two_readers(net: NetBuilder) -> Net:
    y = last(net)
    return net.build(quantize(net, y), unary(net, "RELU", y))


def value_is_output(net: NetBuilder) -> Net:
    return net.build(last(net), quantize(net, last(net)))


def shortcut(net: NetBuilder) -> Net:
    y = last(net)
    other = net.input(net.shape(y), "float32")
    return net.build(quantize(net, binary(net, "ADD", y, other)))


def not_per_channel(net: NetBuilder) -> Net:
    y = last(net)
    constant = net.constant(np.ones(net.shape(y), np.float32))
    return net.build(quantize(net, binary(net, "MUL", y, constant)))


def infinite(net: NetBuilder) -> Net:
    constant = net.constant(np.full(4, np.inf, np.float32))
    return net.build(quantize(net, binary(net, "ADD", last(net), constant)))


def overflow(net: NetBuilder) -> Net:
    constant = net.constant(np.full(4, 1e36, np.float32))
    return net.build(quantize(net, binary(net, "MUL", last(net), constant)))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (two_readers, "RELU reads its value, too"),
        (value_is_output, "output of the file"),
        (shortcut, "ADD of two computed tensors"),
        (not_per_channel, "not one value a channel"),
        (infinite, "not finite"),
        (overflow, "could overflow"),
    ],
)
def test_refusals(make: Callable[[NetBuilder], Net], reason: str) -> None:
    graph = graph_of(make(block(np.ones(4), np.zeros(4))))
    result = pack_outputs.run(graph, "delegate")
    assert result.graph is graph
    assert len(result.refusals) == 1
    assert reason in result.refusals[0].reason


def test_sums_of_exactly_0_are_positive_also_where_the_border_rounds_them_below(
    rng: np.random.Generator,
) -> None:
    """As Keras has it; and as LCE has it with a multiplier that rounds nothing."""
    rounding, exact = (
        block(np.full(64, scale), np.zeros(64), "same0", channels=64) for scale in (0.3, 1.0)
    )
    graphs = [graph_of(net.build(quantize(net, last(net)))) for net in (rounding, exact)]
    result = pack_outputs.run(graphs[0], "delegate")
    assert "of 64 channels with sums of exactly 0 that LCE rounds" in result.rewrites[0].detail
    assert_same_bits(graphs[1], result.graph, rng)


def test_a_border_that_rounds_a_value_near_0_is_refused() -> None:
    scale = np.float32(0.3) + np.arange(64, dtype=np.float32) / 1000
    net = block(scale, (scale.astype(np.float64) * 14).astype(np.float32), "same0", channels=64)
    result = pack_outputs.run(graph_of(net.build(quantize(net, last(net)))), "delegate")
    assert not result.modified
    assert "of 64 channels: a value within rounding of 0" in result.refusals[0].reason


def test_an_odd_number_of_channels_with_zero_padding_is_refused() -> None:
    """Sums are odd inside and even in the corners; a threshold on popcounts tells every other."""
    net = block(np.ones(40), np.full(40, 0.25), "same0", channels=33)
    result = pack_outputs.run(graph_of(net.build(quantize(net, last(net)))), "delegate")
    assert "33 input channels, an odd number" in result.refusals[0].reason


def test_signs_of_something_else_are_none_of_its_business() -> None:
    net = NetBuilder()
    x = net.input((1, 4, 4, 8), "float32")
    graph = graph_of(net.build(quantize(net, unary(net, "RELU_N1_TO_1", x))))
    result = pack_outputs.run(graph, "delegate")
    assert result.graph is graph
    assert not result.refusals
