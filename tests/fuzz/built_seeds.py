"""Seed files for what the converters rarely emit."""

from collections.abc import Iterator

import numpy as np

from tests.fuzz.builder import O, T, build


def built() -> Iterator[tuple[str, bytes]]:
    """Name and content."""
    yield "chain-float32", chain("FLOAT32")
    yield "chain-int8", chain("INT8")
    yield "rest", rest()
    for dtype in ("INT8", "INT4", "INT2"):
        yield f"packed-{dtype.lower()}", packed_weights(dtype)


def chain(dtype: str) -> bytes:
    """Operators with one input, one after the other."""
    names = ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "HARD_SWISH"]
    if dtype == "FLOAT32":
        names += ["ABS", "SQRT", "SIGN", "NEG", "EXP", "LOG", "FLOOR"]
    scale = None if dtype == "FLOAT32" else 0.05
    tensors = [T((1, 3, 3, 5), dtype, scale=scale) for _ in range(len(names) + 1)]
    ops = [O(name, [i], [i + 1]) for i, name in enumerate(names)]
    return build(tensors, ops, [0], [len(names)])


def rest() -> bytes:
    """ADD_N, DIV, QUANTIZE and so on."""
    shape = (1, 2, 3, 4)
    tensors = [
        T(shape), T(shape), T(shape), T((1,), "INT32", [1]),
        T((1, 1, 2, 3, 4)), T(shape), T((1, 3, 4)), T((1, 3, 4)), T(shape),
        T(shape, "BOOL"), T(shape, "BOOL"), T(shape), T((), "INT32", 3), T((1, 2, 3), "INT64"),
        T(shape, "INT8", scale=0.1), T(shape, "UINT8", scale=0.1, zero_point=128), T(shape),
        T(shape, "BOOL"), T(shape, "INT32"), T(shape, "BOOL"), T(shape),
    ]  # fmt: skip
    ops = [
        O("ADD_N", [0, 1, 0], [2], "AddN"),
        O("EXPAND_DIMS", [2, 3], [4], "ExpandDims"),
        O("SQUEEZE", [4], [5], "Squeeze", {"squeezeDims": [1]}),
        O("UNPACK", [5], [6, 7], "Unpack", {"num": 2, "axis": 1}),
        O("PACK", [7, 6], [8], "Pack", {"valuesCount": 2, "axis": 1}),
        O("LESS", [8, 1], [9], "Less"),
        O("LOGICAL_NOT", [9], [10], "LogicalNot"),
        O("SELECT", [10, 8, 1], [11], "Select"),
        O("ARG_MIN", [11, 12], [13], "ArgMin", {"outputType": 4}),
        O("QUANTIZE", [11], [14], "Quantize"),
        O("QUANTIZE", [14], [15], "Quantize"),
        O("DEQUANTIZE", [15], [16], "Dequantize"),
        O("NOT_EQUAL", [16, 1], [17], "NotEqual"),
        O("CAST", [17], [18], "Cast", {"inDataType": 6, "outDataType": 2}),
        O("LOGICAL_OR", [17, 10], [19], "LogicalOr"),
        O("DIV", [8, 11], [20], "Div"),
    ]
    return build(tensors, ops, [0, 1], [13, 18, 19, 20])


def packed_weights(dtype: str) -> bytes:
    """A convolution whose float filters come from 8, 4 or 2 bits through DEQUANTIZE."""
    shape = (4, 3, 3, 4)
    signs = np.random.default_rng(0).choice([-1, 1], shape)
    tensors = [
        T((1, 5, 5, 4)),
        T(shape, dtype, signs, [0.25, 0.5, 1.0, 2.0]),
        T(shape),
        T((1, 3, 3, 4)),
        T((4,), data=[0.5, -1.0, 2.0, 0.0]),
    ]
    options = {"padding": 1, "strideH": 1, "strideW": 1}
    ops = [O("DEQUANTIZE", [1], [2]), O("CONV_2D", [0, 2, 4], [3], "Conv2D", options)]
    return build(tensors, ops, [0], [3])
