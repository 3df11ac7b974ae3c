"""One sign a tensor."""

import numpy as np
from pass_nets import assert_same_bits, assert_settled, conv, graph_of, quantize

from converters.graph import BCONV, QUANTIZE
from converters.passes import share_signs
from tests.native.nets import NetBuilder


def test_two_convolutions_read_one_sign() -> None:
    rng = np.random.default_rng(0)
    net = NetBuilder()
    x = net.input((1, 8, 8, 32), "float32")
    outputs = [conv(net, rng, quantize(net, x), 32, 16, "same0") for _ in range(3)]
    graph = graph_of(net.build(*outputs))
    result = share_signs.run(graph, "lce")
    assert len(result.rewrites) == 2
    (sign,) = result.graph.ops_named(QUANTIZE)
    assert {op.inputs[0] for op in result.graph.ops_named(BCONV)} == {sign.outputs[0]}
    assert_same_bits(graph, result.graph, rng)
    assert_settled(result, share_signs.run(result.graph, "lce"))


def test_signs_of_two_tensors_stay_two() -> None:
    net = NetBuilder()
    inputs = [net.input((1, 8, 8, 32), "float32") for _ in range(2)]
    graph = graph_of(net.build(*(quantize(net, x) for x in inputs)))
    assert share_signs.run(graph, "lce").graph is graph


def test_an_output_of_the_file_is_refused() -> None:
    net = NetBuilder()
    x = net.input((1, 8, 8, 32), "float32")
    graph = graph_of(net.build(quantize(net, x), quantize(net, x)))
    result = share_signs.run(graph, "lce")
    assert result.graph is graph
    assert [r.reason for r in result.refusals] == ["it is an output of the file"]
