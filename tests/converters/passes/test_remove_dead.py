"""What nothing reads is dropped, everything else stays."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from pass_nets import assert_same_bits, assert_settled, conv, graph_of, quantize, unary

from converters.graph import read_graph
from converters.lce import Conversion
from converters.passes import remove_dead
from tests.native.nets import NetBuilder


def test_dead_operators_tensors_buffers_and_codes() -> None:
    rng = np.random.default_rng(0)
    net = NetBuilder()
    x = net.input((1, 8, 8, 32), "float32")
    net.constant(rng.normal(0, 1, 1000).astype(np.float32))
    conv(net, rng, quantize(net, unary(net, "RELU", x)), 32, 16, "same0")  # nobody reads it
    y = conv(net, rng, quantize(net, x), 32, 16, "same0")
    graph = graph_of(net.build(y))
    result = remove_dead.run(graph, "lce")
    assert [r.op for r in result.rewrites] == ["RELU", "LceQuantize", "LceBconv2d", "file"]
    assert [op.name for op in result.graph.ops] == ["LceQuantize", "LceBconv2d"]
    assert len(result.graph.tensors) == 6
    assert len(result.graph.data) < len(graph.data) - 4000
    assert_same_bits(graph, result.graph, rng)
    assert_settled(result, remove_dead.run(result.graph, "lce"))


def test_a_real_file_keeps_names_metadata_signature_and_constants(
    resnet_file: Conversion,
) -> None:
    before = read_graph(resnet_file.data)
    after = remove_dead.run(before, "lce").graph
    assert [op.name for op in after.ops] == [op.name for op in before.ops]
    for a, b in zip(after.ops, before.ops, strict=True):
        assert a.options == b.options
        for i, j in zip((*a.inputs, *a.outputs), (*b.inputs, *b.outputs), strict=True):
            assert (i == -1) == (j == -1)
            if i != -1:
                left, right = after.tensors[i], before.tensors[j]
                assert (left.name, left.shape, left.dtype) == (right.name, right.shape, right.dtype)
                np.testing.assert_array_equal(left.data, right.data)
                assert left.data_offset is None or left.data_offset % 16 == 0
    models = [schema.ModelT.InitFromPackedBuf(g.data, 0) for g in (before, after)]
    old, new = ([(m.name, bytes(x.buffers[m.buffer].data)) for m in x.metadata] for x in models)
    assert old == new
    for model, graph in zip(models, (before, after), strict=True):
        (signature,) = model.signatureDefs
        assert [t.tensorIndex for t in signature.inputs] == list(graph.inputs)
        assert [t.tensorIndex for t in signature.outputs] == list(graph.outputs)
