"""Pooling of bits instead of floats: the same bits, with scales of both signs."""

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
    max_pool,
    quantize,
    sign_chain,
    unary,
)

from converters.graph import BCONV, MAXPOOL, packed_words
from converters.lce.pipeline import run_passes
from converters.passes import PassResult, pack_outputs, pack_pools
from converters.passes._result import TARGETS
from tests.native import nets
from tests.native.layer_models import add_bconv, bconv_options, pick
from tests.native.nets import Net, NetBuilder


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_random_chains_keep_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(sign_chain(rng, pooled=True))
    result = pack_pools.run(graph, "delegate")
    if result.modified:
        assert len(result.graph.ops_named(MAXPOOL)) == 1
        assert not result.graph.ops_named("MAX_POOL_2D")
        assert_same_bits(graph, result.graph, rng)
        assert_settled(result, pack_pools.run(result.graph, "delegate"))


def test_most_random_chains_are_rewritten() -> None:
    inverted = fired = 0
    for seed in range(100):
        net = sign_chain(np.random.default_rng(seed), pooled=True)
        result = pack_pools.run(graph_of(net), "delegate")
        assert result.modified == (not result.refusals)
        fired += result.modified
        inverted += any("inverted" in r.detail for r in result.rewrites)
    assert fired >= 60
    assert inverted >= 15


def random_vgg(rng: Rng) -> Net:
    """Two to four blocks of conv, pool or none, MUL and ADD, clip or none, sign; then a conv."""
    net = NetBuilder()
    channels = int(pick(rng, (8, 16, 33, 40)))
    bits = net.input((1, 12, 12, packed_words(channels)), "int32")
    padding = pick(rng, ("same0", "same0", "same1"))
    for _ in range(int(rng.integers(2, 5))):
        count = int(pick(rng, (8, 24, 32, 40, 64)))
        x = conv(net, rng, bits, channels, count, padding, strides=False)
        if min(net.shape(x)[1:3]) >= 6 and rng.random() < 0.6:
            x = max_pool(net, x, 2, 2, nets.VALID)
        scales, offsets = rng.normal(0, 1, count), rng.normal(0, 3, count)
        x = binary(net, "MUL", x, net.constant(scales.astype(np.float32)))
        activation = int(pick(rng, (nets.NONE, nets.RELU_N1_TO_1)))
        x = binary(net, "ADD", x, net.constant(offsets.astype(np.float32)), activation)
        x = unary(net, "RELU_N1_TO_1", x) if rng.random() < 0.3 else x
        bits, channels = quantize(net, x), count
    return net.build(conv(net, rng, bits, channels, 10, padding, strides=False))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_all_passes_on_random_networks_keep_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(random_vgg(rng))
    for target in TARGETS:
        after, _ = run_passes(graph, target)
        assert_same_bits(graph, after, rng)
        again, reports = run_passes(after, target)
        assert again.data == after.data
        assert not any(report.rewrites for report in reports)


def test_most_random_networks_end_up_packed() -> None:
    packed = blocks = 0
    for seed in range(30):
        graph = graph_of(random_vgg(np.random.default_rng(seed)))
        after, _ = run_passes(graph, "delegate")
        blocks += len(graph.ops_named(BCONV)) - 1
        packed += sum(
            after.tensors[op.outputs[0]].dtype == "INT32" for op in after.ops_named(BCONV)
        )
    assert packed >= blocks * 0.5


def test_inverted_channels_of_a_grouped_convolution() -> None:
    rng = np.random.default_rng(3)
    net = NetBuilder()
    bits = net.input((1, 8, 8, 1), "int32")
    x = max_pool(net, conv(net, rng, bits, 32, 64, "valid", strides=False), 2, 2, nets.VALID)
    x = binary(net, "MUL", x, net.constant(rng.normal(0, 1, 64).astype(np.float32)))
    signs = quantize(net, binary(net, "ADD", x, net.constant(np.full(64, 0.3, np.float32))))
    options = bconv_options(rng, "valid", 64, nets.NONE) | {"stride_height": 1, "stride_width": 1}
    options |= {"dilation_height_factor": 1, "dilation_width_factor": 1}
    y = add_bconv(net, rng, signs, 6, (1, 1), options, "float32", groups=2)
    graph = graph_of(net.build(y))
    result = pack_pools.run(graph, "delegate")
    assert "channels pooled inverted" in result.rewrites[0].detail
    assert_same_bits(graph, result.graph, rng)


def vgg_block(
    scales: list[float],
    *,
    first: str = "same0",
    following: str = "same0",
    output: str = "int32",
    second_pool: bool = False,
) -> NetBuilder:
    """conv, pool, MUL, ADD, sign, conv."""
    rng = np.random.default_rng(3)
    net = NetBuilder()
    bits = net.input((1, 8, 8, 1), "int32")
    count = len(scales)
    x = conv(net, rng, bits, 32, count, first, strides=False)
    x = max_pool(net, x, 2, 2, nets.VALID)
    if second_pool:
        x = max_pool(net, x, 2, 1, nets.SAME)
    x = binary(net, "MUL", x, net.constant(np.array(scales, np.float32)))
    x = binary(net, "ADD", x, net.constant(rng.normal(0, 5, count).astype(np.float32)))
    signs = quantize(net, x)
    conv(net, rng, signs, count, 8, following, output=output, strides=False)
    return net


def run(net: NetBuilder, target: str = "delegate") -> PassResult:
    graph = graph_of(built(net))
    return pack_pools.run(graph, target)  # type: ignore[arg-type]


def built(net: NetBuilder) -> Net:
    return net.build(net.ops[-1].outputs[0])


MIXED = [1.0, -1.0, 0.3, -0.2, 1.0, -4.0, 0.0, 2.0]


@pytest.mark.parametrize("following", ["same0", "valid"])
@pytest.mark.parametrize("first", ["same0", "valid", "same1"])
def test_negative_scales_are_pooled_inverted(first: str, following: str) -> None:
    net = vgg_block(MIXED, first=first, following=following)
    result = run(net)
    assert [r.op for r in result.rewrites] == [BCONV]
    assert "3 of 8 channels pooled inverted" in result.rewrites[0].detail
    assert_same_bits(graph_of(built(net)), result.graph, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("options", "target", "reason"),
    [
        ({"following": "same1"}, "delegate", "pads with ones"),
        ({"output": "float32"}, "delegate", "float output and zero padding"),
        ({"second_pool": True}, "delegate", "two maxima"),
        ({}, "lce", "zero padding: LCE's default kernels"),
    ],
)
def test_refusals(options: dict[str, str], target: str, reason: str) -> None:
    net = vgg_block(MIXED, **options)  # type: ignore[arg-type]
    result = run(net, target)
    assert not result.modified
    others = pack_outputs.run(graph_of(built(net)), target)  # type: ignore[arg-type]
    assert any(reason in r.reason for r in (*result.refusals, *others.refusals))


def test_signs_that_are_an_output_cannot_be_inverted() -> None:
    net = vgg_block(MIXED)
    graph = graph_of(net.build(net.ops[-2].outputs[0]))
    result = pack_pools.run(graph, "delegate")
    assert "output of the file" in result.refusals[0].reason


@pytest.mark.parametrize("following", ["same0", "valid", "same1"])
@pytest.mark.parametrize("output", ["float32", "int32"])
def test_positive_scales_need_no_inversion(following: str, output: str) -> None:
    net = vgg_block([1.0, 0.5] * 4, first="same1", following=following, output=output)
    for target in ("lce", "delegate"):
        result = run(net, target)
        assert len(result.rewrites) == 1
        assert "inverted" not in result.rewrites[0].detail
        assert_same_bits(graph_of(built(net)), result.graph, np.random.default_rng(0))
