"""What the check of untrusted files accepts and refuses."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import larq as lq
import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

from converters.graph import read_graph
from converters.graph.lce_ops import MAXPOOL, BconvOptions
from converters.lce import Conversion
from converters.untrusted import (
    BUILTIN_RULES,
    CUSTOM_RULES,
    Policy,
    RefusedFileError,
    check_graph,
    read_untrusted,
)
from irnet_keras.errors import UsageError
from irnet_keras.quantizers import EDESign, LibraPB
from tests.fuzz.builder import O, T, build, pack, unpack

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
# The last 22 bytes of options, damaged.
_TAILS = (
    "08010828010100010001010404040404041104102401",
    "08011028010100010001010404040404040404102401",
)
Edit = Callable[[Any], object]


def seed_file(name: str) -> bytes:
    return (SEEDS / f"{name}.tflite").read_bytes()


def operator(model: Any, name: str, number: int = 0) -> Any:
    """An operator of a parsed file by its builtin or custom name."""
    codes = []
    for code in model.operatorCodes:
        builtin = {v: k for k, v in vars(schema.BuiltinOperator).items()}[code.builtinCode]
        codes.append((code.customCode or b"").decode() or builtin)
    found = [op for op in model.subgraphs[0].operators if codes[op.opcodeIndex] == name]
    return found[number]


def tensor(model: Any, op: Any, slot: int) -> Any:
    """An input of an operator, or with a negative slot an output."""
    index = op.inputs[slot] if slot >= 0 else op.outputs[-1 - slot]
    return model.subgraphs[0].tensors[index]


def option(op: str, key: str, value: Any) -> Edit:
    return lambda m: setattr(operator(m, op).builtinOptions, key, value)


def constant(op: str, slot: int, values: list[int]) -> Edit:
    def edit(model: Any) -> None:
        found = tensor(model, operator(model, op), slot)
        model.buffers[found.buffer].data = np.array(values, np.int32).view(np.uint8)

    return edit


def shape(op: str, slot: int, value: list[int]) -> Edit:
    def edit(model: Any) -> None:
        found = tensor(model, operator(model, op), slot)
        found.shape, found.shapeSignature = value, None

    return edit


def scale(op: str, slot: int, value: float) -> Edit:
    def edit(model: Any) -> None:
        found = tensor(model, operator(model, op), slot).quantization
        found.scale = [value] * len(found.scale)

    return edit


def inputs(op: str, change: Callable[[list[int]], list[int]]) -> Edit:
    def edit(model: Any) -> None:
        found = operator(model, op)
        found.inputs = change(list(found.inputs))

    return edit


def dtype(op: str, slot: int, name: str) -> Edit:
    def edit(model: Any) -> None:
        tensor(model, operator(model, op), slot).type = getattr(schema.TensorType, name)

    return edit


def test_every_seed_is_accepted_and_together_they_have_every_operator_with_a_rule() -> None:
    names = set()
    for path in SEEDS.glob("*.tflite"):
        names |= {op.name for op in read_untrusted(path).ops}
    missing = {*BUILTIN_RULES, *CUSTOM_RULES} - names
    assert missing == set()


def test_a_real_file_is_accepted_and_its_work_counted(resnet_file: Conversion) -> None:
    spending = check_graph(read_graph(resnet_file.data))
    # ResNet-20 has 40.55e6 multiply-accumulates; the packed 16 channels are counted as 32
    assert 40e6 < spending.macs < 60e6
    assert 1e6 < spending.memory_bytes < 4e6


# seed file, change, what the refusal says
REFUSALS: list[tuple[str, Edit, str]] = [
    # what the stock kernels divide by, overflow with or read behind
    ("mobile-float32", option("CONV_2D", "strideW", 0), "CONV_2D.* has stride 0"),
    ("mobile-float32", option("CONV_2D", "strideH", 2**31 - 1), "has stride 2147483647"),
    ("mobile-float32", option("CONV_2D", "dilationHFactor", 0), "has dilation 0"),
    ("mobile-float32", option("CONV_2D", "dilationWFactor", -1), "has dilation -1"),
    ("mobile-float32", option("CONV_2D", "padding", 2), "has padding 2"),
    ("mobile-float32", option("CONV_2D", "fusedActivationFunction", 4), "has the activation 4"),
    ("mobile-float32", option("DEPTHWISE_CONV_2D", "depthMultiplier", 0), "multiplier 0"),
    ("mobile-float32", option("DEPTHWISE_CONV_2D", "depthMultiplier", 2), "multiplier 2"),
    ("mobile-float32", inputs("DEPTHWISE_CONV_2D", lambda i: i[:2]), "lacks a bias"),
    ("mobile-float32", inputs("DEPTHWISE_CONV_2D", lambda i: [*i[:2], -1]), "lacks a bias"),
    ("mobile-float32", inputs("CONV_2D", lambda i: i[:1]), "has 1 inputs and 1 outputs"),
    ("mobile-float32", inputs("ADD", lambda i: [i[0], -1]), "lacks an input"),
    ("mobile-float32", option("MAX_POOL_2D", "filterWidth", 0), "has window 0"),
    ("mobile-float32", option("MAX_POOL_2D", "strideW", 0), "has stride 0"),
    ("mobile-float32", option("MAX_POOL_2D", "filterHeight", 40), "window of 40 on a size of 3"),
    ("mobile-float32", option("FULLY_CONNECTED", "weightsFormat", 1), "format 1"),
    ("mobile-float32", option("SOFTMAX", "beta", float("nan")), "has beta nan"),
    ("mobile-float32", constant("MEAN", 1, [1, 5]), "has axes .1, 5. of 4 dimensions"),
    ("mobile-float32", constant("MEAN", 1, [1, 1]), "has the axes .1, 1."),
    ("mobile-float32", shape("CONV_2D", -1, [1, 3, 4, 4]), "but makes FLOAT32 .1, 3, 3, 4."),
    ("mobile-float32", shape("CONV_2D", 0, [1, 6, 0, 4]), "sizes of at least 1"),
    ("mobile-float32", shape("CONV_2D", 0, [1] * 7), "up to 6 sizes"),
    ("mobile-float32", dtype("CONV_2D", -1, "INT32"), "declares an output of type INT32|INT32"),
    ("mobile-float32", dtype("CONV_2D", 0, "FLOAT64"), "has type FLOAT64"),
    ("mobile-float32", lambda m: setattr(operator(m, "CONV_2D"), "builtinOptionsType", 0),
     "has options of kind 0"),
    # quantization
    ("mobile-int8", scale("CONV_2D", 0, 0.0), "a scale that is not finite and positive"),
    ("mobile-int8", scale("CONV_2D", 1, float("nan")), "a scale that is not finite"),
    ("mobile-int8", scale("CONV_2D", -1, float("inf")), "a scale that is not finite"),
    ("mobile-int8", scale("CONV_2D", 1, -1.0), "a scale that is not finite and positive"),
    ("mobile-int8", scale("CONV_2D", 1, 300.0), "multiplies by"),  # ended XNNPACK
    ("mobile-int8", scale("ADD", -1, 1e-9), "scales in the ratio|multiplies by"),
    ("mobile-int8", scale("SOFTMAX", 0, 1e-9), "extreme scale|multiplies by"),
    ("mobile-int8", lambda m: setattr(tensor(m, operator(m, "CONV_2D"), 1).quantization,
     "quantizedDimension", 1), "4 scales on axis 1|4 weight scales"),
    ("mobile-int8", lambda m: setattr(tensor(m, operator(m, "CONV_2D"), 1).quantization,
     "zeroPoint", [0, 0, 1, 0]), "zero point outside 0 to 0"),
    ("mobile-int8", lambda m: setattr(tensor(m, operator(m, "CONV_2D"), 0).quantization,
     "zeroPoint", [128]), "zero point outside -128 to 127"),
    ("mobile-int8", lambda m: setattr(tensor(m, operator(m, "CONV_2D"), 0).quantization,
     "zeroPoint", None), "scales without zero points"),
    ("mobile-int8", lambda m: setattr(tensor(m, operator(m, "ADD"), 0), "quantization", None),
     "needs one scale|has no scale"),
    # constants that say where
    ("shapes-float32", constant("RESHAPE", 1, [1, -1, 7]), "makes .1, -1, 7."),
    ("shapes-float32", constant("RESHAPE", 1, [-1, -1, 5]), "has the shape .-1, -1, 5."),
    ("shapes-float32", constant("PAD", 1, [0, 0, 1, 2, 0, -1, 0, 0]), "accepted: 0 to 32768"),
    ("shapes-float32", constant("PAD", 1, [0, 0, 1, 2**30, 0, 0, 0, 0]), "accepted: 0 to 32768"),
    ("shapes-float32", constant("STRIDED_SLICE", 3, [1, 0, 1, 1]), "has the stride 0"),
    ("shapes-float32", constant("TRANSPOSE", 1, [0, 2, 2]), "has the order .0, 2, 2."),
    ("shapes-float32", option("CONCATENATION", "axis", 4), "has the axis .4. of 4"),
    ("shapes-float32", option("STRIDED_SLICE", "ellipsisMask", 1), "has an ellipsis"),
    ("images-float32", constant("RESIZE_BILINEAR", 1, [0, 10]), "has height 0"),
    ("images-float32", constant("RESIZE_BILINEAR", 1, [12, 2**30]), "has width 1073741824"),
    ("images-float32", option("DEPTH_TO_SPACE", "blockSize", 0), "has block 0"),
    ("images-float32", option("SPACE_TO_DEPTH", "blockSize", 5), "for blocks of 5"),
    ("images-float32", constant("REVERSE_V2", 1, [4]), "has axes .4. of 4 dimensions"),
    ("images-float32", constant("MIRROR_PAD", 1, [0, 0, 99, 2, 1, 1, 0, 0]), "mirrors"),
    ("parts-float32", constant("GATHER", 1, [2, 0, 9]), "takes places outside of 0 to 5"),
    ("parts-float32", constant("SLICE", 1, [0, -1, 0, 0]), "takes .* from .0, -1, 0, 0."),
    ("parts-float32", constant("SLICE", 2, [1, 9, 2, 2]), "takes .1, 9, 2, 2. from"),
    ("parts-float32", option("SPLIT", "numSplits", 0), "makes 0 parts as 2"),
    ("upsampling-float32", constant("TRANSPOSE_CONV", 0, [1, 12, 13, 3]), "makes .1, 12, 13, 3."),
    ("upsampling-float32", option("TRANSPOSE_CONV", "strideW", 0), "has stride 0"),
    ("rest", constant("ARG_MIN", 1, [4]), "has the axis .4. of 4 dimensions"),
    ("rest", option("UNPACK", "num", 3), "makes 3 parts as 2"),
    ("rest", option("PACK", "axis", 5), "has the axis .5. of 4 dimensions"),
    ("packed-int4", shape("DEQUANTIZE", 0, [4, 3, 3, 2]), "has 72 bytes of data, expected 36"),
    # Larq Compute Engine's
    ("bconv-float32", shape("LceBconv2d", 0, [1, 5, 6, 1]), "40 channels in 1 words"),
    ("bconv-groups", shape("LceBconv2d", -1, [1, 2, 4, 4]), "declares an output"),
    ("bconv-one", shape("LceQuantize", -1, [1, 5, 5, 2]), "declares an output|in 2 words"),
    ("bconv-packed-zero", inputs("LceBconv2d", lambda i: [*i[:2], -1, *i[3:]]),
     "needs a multiplier"),
    ("bconv-int8", scale("LceBconv2d", -1, 0.0), "a scale that is not finite"),
    # the whole graph
    ("mobile-float32", lambda m: setattr(m.signatureDefs[0].inputs[0], "tensorIndex", 99),
     "signature 0 names what is not there"),
    ("mobile-float32", lambda m: setattr(m.metadata[0], "buffer", 999), "metadata 0"),
    ("mobile-float32", lambda m: setattr(m.subgraphs[0].tensors[8], "isVariable", True),
     "is variable"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "edit", "message"), REFUSALS, ids=[f"{r[0]}: {r[2][:40]}" for r in REFUSALS]
)
def test_refused(name: str, edit: Edit, message: str) -> None:
    model = unpack(seed_file(name))
    assert len(read_untrusted(pack(model)).ops) > 0
    edit(model)
    with pytest.raises(UsageError) as caught:
        read_untrusted(pack(model))
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_options_in_another_form_than_the_converters_are_refused() -> None:
    """The C++ reader of these maps checks no offset, so equal values are not enough."""
    model = unpack(seed_file("bconv-float32"))
    op = operator(model, "LceBconv2d")
    blob = bytes(op.customOptions)
    options = BconvOptions.parse(blob)
    assert options.pack() == blob
    longer = b"\0" * 8 + blob
    assert BconvOptions.parse(longer) == options
    op.customOptions = list(longer)
    with pytest.raises(RefusedFileError, match="options that LCE's converter does not write"):
        read_untrusted(pack(model))


@pytest.mark.parametrize("tail", _TAILS)
def test_flexbuffers_that_python_trips_over_are_refused(tail: str) -> None:
    """An AssertionError, endless nesting: both found by fuzzing."""
    blob = BconvOptions(40, 1, 1, 1, 1, 0, 1, 0).pack()[:-22] + bytes.fromhex(tail)
    with pytest.raises((AssertionError, RecursionError)):
        flexbuffers.Loads(blob)
    with pytest.raises(UsageError, match="options"):
        BconvOptions.parse(blob)


def test_an_operator_off_the_list_is_refused_unless_allowed() -> None:
    tensors = [T((4,)), T((4,))]
    data = build(tensors, [O("COS", [0], [1])], [0], [1])
    with pytest.raises(RefusedFileError, match=r"operator 0 is 'COS', which is not on the list"):
        read_untrusted(data)
    assert read_untrusted(data, Policy(allowed_ops=frozenset({"COS"}))).ops[0].name == "COS"


def test_a_custom_operator_cannot_take_a_builtins_name() -> None:
    data = build([T((4,)), T((4,))], [O("COS", [0], [1])], [0], [1])
    model = unpack(data)
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "RELU"
    with pytest.raises(RefusedFileError, match="operator 0 is 'RELU', which is not on the list"):
        read_untrusted(pack(model))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy(file_mib=0), r"has 0\.00.* MiB, accepted are at most 0 \(--file-limit file-mib"),
        (Policy(ops=3), r"the file has 8 operators, accepted are at most 3 \(--file-limit ops\)"),
        (Policy(tensor_mib=0), r"tensor 0 takes 0\.000. MiB.*\(--file-limit tensor-mib\)"),
        (Policy(memory_mib=0), r"its tensors take 0\.000. MiB.*\(--file-limit memory-mib\)"),
        (Policy(gmacs=1e-6), r"one run takes 0\.0000 billion multiply-acc.*\(--file-limit gmacs\)"),
    ],
    ids=["file", "ops", "tensor", "memory", "macs"],
)
def test_each_budget(policy: Policy, message: str) -> None:
    with pytest.raises(RefusedFileError, match=message):
        read_untrusted(seed_file("mobile-float32"), policy)


def test_an_output_larger_than_declared_is_counted() -> None:
    """A size that the file leaves open is computed: 32 x 32 pixels of 20,000 x 20,000."""
    size = T((2,), "INT32", [20_000, 20_000])
    tensors = [T((1, 32, 32, 1)), size, T((1, 1, 1, 1))]
    kind = "ResizeBilinear"
    model = unpack(build(tensors, [O("RESIZE_BILINEAR", [0, 1], [2], kind)], [0], [2]))
    model.subgraphs[0].tensors[2].shapeSignature = [1, -1, -1, 1]
    with pytest.raises(RefusedFileError, match="takes 1,526 MiB, accepted are at most 256"):
        read_untrusted(pack(model))


def test_a_reshape_by_a_computed_shape_is_followed() -> None:
    graph = read_untrusted(seed_file("dynamic-float32"))
    assert [op.name for op in graph.ops][-1] == "RESHAPE"
    assert check_graph(graph).memory_bytes > 2 * 144 * 4  # 1 in the file, 144 values when it runs


@pytest.mark.parametrize(("size", "strides", "padding"), [(2, 2, "valid"), (3, 1, "same")])
def test_pools_of_bits_as_lce_writes_them_are_accepted(
    size: int, strides: int, padding: str
) -> None:
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((8, 8, 32)),
            layers.MaxPool2D(size, strides, padding=padding),
            lq.layers.QuantConv2D(8, 1, input_quantizer=EDESign(), kernel_quantizer=LibraPB()),
        ]
    )
    graph = read_graph(bytes(lce.convert_keras_model(model)))
    (pool,) = graph.ops_named(MAXPOOL)
    assert pool.custom_options == pool.options.pack()
    check_graph(graph)
