"""Binary weights of float layers as int8, on real converted networks."""

from pathlib import Path
from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from pass_nets import Rng, assert_settled, graph_of
from random_nets import randomize_batch_norms

from converters.graph import BCONV, Graph, read_graph
from converters.passes import fold_batch_norms, remove_dead, shrink_weights
from converters.quiet import convert_quietly
from converters.runtimes import TFLiteProcess
from irnet_keras.layers import Hardtanh
from irnet_keras.quantizers import EDESign, LibraPB
from tests.native.nets import VALID, NetBuilder

Array = np.ndarray[Any, np.dtype[Any]]


def converted(*layers: Any, image: tuple[int, ...] = (8, 8, 8)) -> Graph:
    """LCE's own file of a network with random batch norms."""
    import larq_compute_engine as lce

    model = randomize_batch_norms(tf.keras.Sequential([tf.keras.Input(image), *layers]))
    return read_graph(convert_quietly("LCE", lambda: bytes(lce.convert_keras_model(model)), print))


def conv(filters: int = 16, name: str = "weights", **options: Any) -> Any:
    quantizer = LibraPB(name=f"{name}_quantizer")
    return lq.layers.QuantConv2D(filters, 3, kernel_quantizer=quantizer, name=name, **options)


def norm() -> Any:
    return tf.keras.layers.BatchNormalization()


def float_input_layers() -> list[Any]:
    """Convolutions, depthwise too, and a dense layer behind a batch norm."""
    depthwise = lq.layers.QuantDepthwiseConv2D(
        3, depthwise_quantizer="ste_sign", depth_multiplier=2, padding="same"
    )
    quantizer = LibraPB(name="dense_quantizer")
    dense = lq.layers.QuantDense(10, kernel_quantizer=quantizer)
    pool = tf.keras.layers.MaxPool2D(2)
    layers = [conv(16, strides=2, padding="same"), norm(), Hardtanh(), depthwise, norm(), pool]
    return [*layers, norm(), tf.keras.layers.Flatten(), dense]


def litert(graph: Graph, resolver: OpResolverType, images: Array) -> Array:
    interpreter = Interpreter(model_content=graph.data, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    results = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(results)


def shrunk(before: Graph, layers: int) -> Graph:
    """After the pass, and after what follows it."""
    result = shrink_weights.run(before, "lce")
    assert len(result.rewrites) == layers
    assert not result.refusals
    assert_settled(result, shrink_weights.run(result.graph, "lce"))
    return remove_dead.run(result.graph, "lce").graph


def test_stock_litert_computes_the_same_bits_with_and_without_xnnpack(rng: Rng) -> None:
    before = converted(*float_input_layers())
    after = shrunk(before, 3)
    weights = 3 * 3 * 8 * 16 + 3 * 3 * 16 * 2 + 2 * 2 * 32 * 10
    stored = [t for t in after.tensors if t.dtype == "INT8"]
    assert sum(t.data.size for t in stored if t.data is not None) == weights
    assert len(after.data) < len(before.data) - 3 * weights + 3 * 300 + 12 * (16 + 32 + 10)
    images = rng.normal(0, 1, (4, 8, 8, 8)).astype(np.float32)
    for resolver in (
        OpResolverType.AUTO,
        OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        OpResolverType.BUILTIN_REF,
    ):
        expected = litert(before, resolver, images)
        assert np.ptp(expected) > 1
        np.testing.assert_array_equal(litert(after, resolver, images), expected)


def test_xnnpack_takes_the_unpacked_weights_for_constants() -> None:
    graph = shrunk(converted(*float_input_layers()), 3)
    interpreter = Interpreter(model_content=graph.data)
    interpreter.allocate_tensors()
    # XNNPACK's share is one operator behind those of the file, with one output: the file's
    details = interpreter._get_ops_details()
    parts = [d for d in details if d["op_name"] == "DELEGATE"]
    assert [list(part["outputs"]) for part in parts] == [list(graph.outputs)]


def test_beside_binary_convolutions_in_both_runtimes(tmp_path: Path, rng: Rng) -> None:
    binary = conv(32, "binary", input_quantizer=EDESign(name="input_quantizer"))
    before = converted(conv(32, "float_input"), norm(), Hardtanh(), binary, norm(), *_head())
    after = shrunk(before, 2)
    assert len(after.ops_named(BCONV)) == 1
    images = rng.normal(0, 1, (3, 8, 8, 8)).astype(np.float32)
    outputs = {}
    for name, graph in (("before", before), ("after", after)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(graph.data)
        for engine in ("lce", "delegate"):
            with TFLiteProcess(path, threads=1, engine=engine) as process:
                outputs[name, engine] = process.run_all(images)[0]
    for engine in ("lce", "delegate"):
        np.testing.assert_array_equal(outputs["after", engine], outputs["before", engine])


def _head() -> list[Any]:
    dense = lq.layers.QuantDense(10, kernel_quantizer="ste_sign", input_quantizer="ste_sign")
    return [tf.keras.layers.Flatten(), dense]


def test_signs_times_scale_are_the_weights_bit_for_bit(rng: Rng) -> None:
    scale = np.exp(rng.normal(0, 20, 24)).astype(np.float32)  # far from powers of two
    signs = rng.choice([-1.0, 1.0], (24, 3, 3, 16)).astype(np.float32)
    weights = scale[:, None, None, None] * signs
    result = shrink_weights.run(one_layer(weights), "lce")
    (op,) = result.graph.ops_named("DEQUANTIZE")
    constant = result.graph.tensors[op.inputs[0]]
    assert constant.data is not None
    assert constant.quantization is not None
    found = constant.data * constant.quantization.scale[:, None, None, None]
    assert found.dtype == np.float32
    assert found.tobytes() == weights.tobytes()


def test_a_filter_of_zeros_is_kept(rng: Rng) -> None:
    weights = rng.choice([-0.5, 0.5], (24, 3, 3, 16)).astype(np.float32)
    weights[3] = 0
    weights[7] *= weights[7] > 0
    graph = shrink_weights.run(one_layer(weights), "lce").graph
    image = rng.normal(0, 1, (1, 8, 8, 16)).astype(np.float32)
    resolver = OpResolverType.BUILTIN_REF
    expected = litert(one_layer(weights), resolver, image)
    assert not expected[..., 3].any()
    np.testing.assert_array_equal(litert(graph, resolver, image), expected)


def one_layer(weights: Array, extra_reader: bool = False) -> Graph:
    """A convolution, VALID, and maybe a sum that reads the same constant."""
    net = NetBuilder()
    x = net.input((1, 8, 8, weights.shape[3]), "float32")
    constant = net.constant(np.asarray(weights, np.float32))
    bias = net.constant(np.zeros(len(weights), np.float32))
    size = 9 - weights.shape[1]
    y = net.tensor((1, size, size, len(weights)), "float32")
    options = {"padding": VALID, "strideH": 1, "strideW": 1}
    outputs = [net.op("CONV_2D", [x, constant, bias], y, **options)]
    if extra_reader:
        total = net.tensor(weights.shape, "float32")
        outputs.append(net.op("ADD", [constant, constant], total))
    return graph_of(net.build(*outputs))


def signs(shape: tuple[int, ...] = (24, 3, 3, 16)) -> Array:
    return np.random.default_rng(3).choice([-1.0, 1.0], shape).astype(np.float32)


def nearly_signs() -> Array:
    weights = signs()
    weights[5, 0, 0, 0] *= 1.001
    return weights


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (lambda: one_layer(nearly_signs()), "not exactly +-c: 1 of 24 filters"),
        (lambda: one_layer(signs() * np.inf), "not finite"),
        (lambda: one_layer(signs() * np.float32(1e-40)), "subnormal"),
        (lambda: one_layer(signs(), extra_reader=True), "ADD reads its weights, too"),
        (lambda: one_layer(signs((8, 1, 1, 4))), "32 weights are too few"),
    ],
)
def test_refusals(graph: Any, reason: str) -> None:
    before = graph()
    result = shrink_weights.run(before, "lce")
    assert result.graph is before
    assert [reason in refusal.reason for refusal in result.refusals] == [True]


def test_ordinary_weights_are_nothing_to_mention(rng: Rng) -> None:
    graph = one_layer(rng.normal(0, 1, (24, 3, 3, 16)))
    result = shrink_weights.run(graph, "lce")
    assert result.graph is graph
    assert not result.refusals


def test_a_batch_norm_is_not_folded_into_stored_signs() -> None:
    dense = lq.layers.QuantDense(40, kernel_quantizer="ste_sign")
    before = converted(tf.keras.layers.GlobalMaxPooling2D(), norm(), dense, image=(4, 4, 40))
    result = fold_batch_norms.run(shrunk(before, 1), "lce")
    assert not result.rewrites
    assert [r.reason for r in result.refusals] == [
        "its weights are no constant, or are stored as signs"
    ]
