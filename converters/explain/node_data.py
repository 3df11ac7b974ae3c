"""An overlay for Model Explorer: one value per operator, coloured.

Model Explorer's TFLite adapter (``ai-edge-model-explorer-adapter`` 0.2.1) gives operator ``i`` of
the file the node id ``str(i)`` in the graph ``main``; node data is keyed by graph and node id.

References:
    ``model_explorer/node_data_builder.py`` in google-ai-edge/model-explorer.
"""

from typing import Any

from converters.explain.report import Explanation, OpReport

GRAPH = "main"
OVERLAYS = ("kind", "macs", "time", "weights", "activations")
_COLOURS = {"1-bit": "#2e7d32", "int8": "#f9a825", "float": "#c62828", "other": "#9e9e9e"}
_GRADIENT = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#c62828"}]


def node_data(explanation: Explanation, overlay: str) -> dict[str, Any]:
    """What Model Explorer loads as custom node data.

    Args:
        explanation: of the file that is open in Model Explorer.
        overlay: ``"kind"``, or one of the numbers: ``"macs"``, ``"time"`` in microseconds
            (measured if there is a measurement, else estimated), ``"weights"`` or
            ``"activations"`` in bytes.

    Raises:
        ValueError: another overlay.
    """
    if overlay not in OVERLAYS:
        raise ValueError(f"overlay must be one of {', '.join(OVERLAYS)}, got {overlay!r}")
    if overlay == "kind":
        results: dict[str, Any] = {
            str(op.index): {"value": op.kind, "bgColor": _COLOURS[op.kind]}
            for op in explanation.ops
        }
        return {GRAPH: {"results": results}}
    measured = explanation.runtime is not None
    values = {str(op.index): _number(op, overlay, measured) for op in explanation.ops}
    results = {node: {"value": value} for node, value in values.items() if value is not None}
    return {GRAPH: {"results": results, "gradient": _GRADIENT}}


def _number(op: OpReport, overlay: str, measured: bool) -> float | None:
    if overlay == "macs":
        return op.macs
    if overlay == "weights":
        return op.weight_bytes
    if overlay == "activations":
        return op.activation_bytes
    time_ms = op.measured_ms if measured else op.estimated_ms
    return None if time_ms is None else 1e3 * time_ms
