"""Constants and fake quantization behind a binary convolution that LCE folds wrongly."""

from collections.abc import Iterator
from typing import Any

from converters.lce.preflight.convolutions import Convolution
from converters.lce.preflight.finding import Finding
from converters.lce.preflight.tf_graph import TFGraph
from converters.passes import Target

_FOLDED = ("Mul", "RealDiv", "Add", "AddV2", "Sub", "BiasAdd", "FusedBatchNormV3")
_UNSPREAD = "BatchToSpaceND"  # the end of a dilated convolution, which LCE sees as one
_FAKE_QUANT = (
    "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVarsPerChannel"
)  # fmt: skip


def odd_constants(graph: TFGraph, convs: list[Convolution]) -> list[Finding]:
    """Constants that are neither scalars nor one per channel, behind a binary convolution.

    LCE folds them into multiplier and bias whatever their shape, and no kernel takes the result.
    """
    found = []
    for conv in convs:
        if conv.kernel is None:
            continue
        filters = len(conv.kernel)
        for node, constant in _tail(graph, conv):
            shape = graph.shape(constant) if constant else None
            if shape is None or shape in ((), (1,), (filters,)):
                continue
            found.append(
                Finding(
                    "odd-constant",
                    "fails",
                    graph.layer(node),
                    f"a constant of shape {shape} follows the binary convolution {conv.layer}: LCE "
                    "folds it into a multiplier that no kernel accepts",
                    f"use a scalar or shape ({filters},)",
                )
            )
            break
    return found


def fake_quantized_padding(
    graph: TFGraph, convs: list[Convolution], target: Target
) -> list[Finding]:
    """Zero-padded binary convolutions with int8 output."""
    if target != "lce":
        return []
    return [
        Finding(
            "int8-zero-padding",
            "fails",
            conv.layer,
            "it is zero-padded and its output is quantized to int8, which LCE's default kernels "
            "refuse",
            "use the delegate (--target delegate), pad_values=1, or padding='valid'",
        )
        for conv in convs
        if conv.padding == "SAME"
        and any(
            reader.op in _FAKE_QUANT
            for last in _last_of_tail(graph, conv)
            for reader in graph.consumers(last)
        )
    ]


def _tail(graph: TFGraph, conv: Convolution) -> Iterator[tuple[Any, str | None]]:
    """Operations LCE folds into a convolution, with their constant (batch norms have none)."""
    node = conv.node
    while not graph.is_output(node.name):
        readers = graph.consumers(node.name)
        if len(readers) != 1 or readers[0].op not in (*_FOLDED, _UNSPREAD):
            return
        reader = readers[0]
        if reader.op == _UNSPREAD:
            node = reader
            continue
        constants = [name for name in graph.inputs(reader)[:2] if graph.is_constant(name)]
        if reader.op == "FusedBatchNormV3":
            yield reader, None
        elif constants:
            yield reader, constants[0]
        else:
            return
        node = reader


def _last_of_tail(graph: TFGraph, conv: Convolution) -> list[str]:
    """The convolution and every operation folded into it."""
    return [conv.node.name, *(node.name for node, _ in _tail(graph, conv))]
