"""The LiteRT quantizer (``ai-edge-quantizer``) on chosen operators of a file with LCE's.

Its own calibration would run the file in LiteRT without our delegate, so ranges come from
:mod:`converters.leftovers.statistics`. It knows tensors by name; names in a file may repeat (LCE
cuts them to 50 characters), so tensors carry a number while it works.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from converters.graph import Edit, Graph, Op, embed_buffers
from converters.leftovers.select import Leftover, Selection
from converters.quiet import convert_quietly

_BITS = 8
_NUMBER = re.compile(r"^#\d+#")
# Versions of TensorFlow Lite's kernels that know int8 operands, from its op_version.cc; the
# quantizer writes 1 whatever the operands.
_INT8_VERSIONS = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2,
    "SPACE_TO_DEPTH": 2,
}
_PER_CHANNEL_DEQUANTIZE, _DEQUANTIZE = 5, 2


def run_quantizer(
    graph: Graph,
    selection: Selection,
    ranges: dict[int, tuple[float, float]],
    log: Callable[[str], None],
) -> Graph:
    """Quantize the chosen operators; QUANTIZE and DEQUANTIZE stand where float begins and ends.

    Args:
        graph: the float file.
        selection: what to quantize, operators of ``graph``.
        ranges: smallest and largest value by tensor, 0 included, for operators with int8
            activations.
        log: receives the library's own log if it fails.

    Raises:
        CheckFailed: the library failed.
    """
    numbered = Edit(graph)
    for tensor in graph.tensors:
        numbered.rename(tensor.index, _name(graph, tensor.index))
    data = numbered.finish().data
    quantized = embed_buffers(
        convert_quietly("ai-edge-quantizer", lambda: _run(data, graph, selection, ranges), log)
    )
    edit = Edit(quantized)
    for tensor in quantized.tensors:
        edit.rename(tensor.index, _NUMBER.sub("", tensor.name))
    for op in quantized.ops:
        version = _version(quantized, op)
        if version is not None:
            edit.require_version(op, version)
    edit.remove_unused()
    return edit.finish()


def _name(graph: Graph, tensor: int) -> str:
    return f"#{tensor}#{graph.tensors[tensor].name}"


def _run(
    data: bytes, graph: Graph, selection: Selection, ranges: dict[int, tuple[float, float]]
) -> bytes:
    from ai_edge_quantizer import model_modifier, params_generator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    recipe = RecipeManager()
    for leftover in selection.weighted:
        _add(recipe, leftover)
    for op in selection.beside:
        recipe.add_static_config(_scope(op), _operation(op), _BITS, _BITS)
    values = {
        _name(graph, i): {"min": _scalar(low), "max": _scalar(high)}
        for i, (low, high) in ranges.items()
    }
    # (Quantizer.quantize() is these three lines behind a run of the file without the delegate)
    model = tfl_flatbuffer_utils.read_model(memoryview(bytearray(data)))
    parameters = params_generator.ParamsGenerator(model).generate_quantization_parameters(
        recipe, values, False
    )
    return bytes(model_modifier.ModelModifier(model).modify_model(parameters))


def _add(recipe: Any, leftover: Leftover) -> None:
    from ai_edge_quantizer.qtyping import QuantGranularity

    granularity = (
        QuantGranularity.CHANNELWISE if leftover.per_channel else QuantGranularity.TENSORWISE
    )
    where = _scope(leftover.op), _operation(leftover.op)
    if leftover.scheme == "int8":
        recipe.add_static_config(*where, _BITS, _BITS, granularity)
    else:
        recipe.add_weight_only_config(*where, _BITS, granularity)


def _scope(op: Op) -> str:
    return f"^#{op.outputs[0]}#"


def _operation(op: Op) -> Any:
    from ai_edge_quantizer.qtyping import TFLOperationName

    return TFLOperationName[op.name]


def _scalar(value: float) -> Any:
    return np.full((1, 1, 1, 1), value, np.float32)


def _version(graph: Graph, op: Op) -> int | None:
    """Version of an operator's kernel, where it reads int8."""
    if op.is_custom or not op.inputs or graph.tensors[op.inputs[0]].dtype != "INT8":
        return None
    if op.name == "DEQUANTIZE":
        q = graph.tensors[op.inputs[0]].quantization
        return _PER_CHANNEL_DEQUANTIZE if q is not None and len(q.scale) > 1 else _DEQUANTIZE
    return _INT8_VERSIONS.get(op.name)
