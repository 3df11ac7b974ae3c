"""What the 1-bit file is compared with: the stock converter's builds of a Keras model."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph, read_graph
from converters.quiet import convert_quietly
from irnet_keras.data.preprocessing import Inputs, preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed, UsageError

FORMATS = ("float32", "float16", "int8")
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
WEIGHTED = (*CONVOLUTIONS, "FULLY_CONNECTED")


def build_baseline(
    model: Any,
    fmt: str,
    representative: Inputs | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> bytes:
    """Convert a Keras model with ``TFLiteConverter``.

    Args:
        model: Keras model with one float32 image input.
        fmt: ``"float32"``, ``"float16"`` (half-precision weights) or ``"int8"`` (weights and
            activations; ranges from ``representative``).
        representative: preprocessed float32 images ``(n, height, width, channels)`` for int8;
            default: the shipped sample's calibration images.
        log: receives the converter's log when it fails.

    Returns:
        ``.tflite`` content; input and output are float32 in every format.

    Raises:
        UsageError: unknown format.
        CheckFailed: the converter failed, or the file is not of the format asked for.
    """
    if fmt not in FORMATS:
        raise UsageError(f"format must be one of {', '.join(FORMATS)}, got {fmt!r}")
    if fmt == "int8" and representative is None:
        representative = preprocess(load_sample().calibration.images)
    data = _run_converter(model, fmt, representative, log)
    _check_format(read_graph(data), fmt)
    return data


def _run_converter(
    model: Any, fmt: str, representative: Inputs | None, log: Callable[[str], None]
) -> bytes:
    def work() -> bytes:
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if fmt != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if fmt == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if fmt == "int8" and representative is not None:
            converter.representative_dataset = lambda: _one_by_one(representative)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        return bytes(converter.convert())

    return convert_quietly("TFLite", work, log)


def _one_by_one(images: Inputs) -> Iterator[list[NDArray[np.float32]]]:
    for image in images:
        yield [image[None]]


def _check_format(graph: Graph, fmt: str) -> None:
    """Refuse a file whose weights or convolutions are not what was asked for."""
    for index in (*graph.inputs, *graph.outputs):
        if graph.tensors[index].dtype != "FLOAT32":
            raise CheckFailed(
                f"the {fmt} file's input and output must be float32, "
                f"{graph.tensors[index].name!r} is {graph.tensors[index].dtype}"
            )
    ops = [op for op in graph.ops if op.name in WEIGHTED]
    if fmt == "int8":
        other = [
            graph.tensors[op.outputs[0]].name
            for op in ops
            if any(graph.tensors[i].dtype != "INT8" for i in (*op.inputs[:2], *op.outputs))
        ]
        if other or not any(op.name in CONVOLUTIONS for op in ops):
            names = ", ".join(other) or "the file has no convolution"
            raise CheckFailed(f"not a full int8 file, these are not int8: {names}")
    if fmt == "float16" and not any(
        t.dtype == "FLOAT16" and t.data is not None for t in graph.tensors
    ):
        raise CheckFailed("not a float16 file: it has no float16 weights")
