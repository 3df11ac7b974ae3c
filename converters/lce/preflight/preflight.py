"""All checks, in an order in which the later ones may rely on the earlier."""

from typing import Any

from converters.lce.binary_convs import BinaryConv, binary_convs
from converters.lce.preflight.constants import fake_quantized_padding, odd_constants
from converters.lce.preflight.convolutions import CONV, convolutions
from converters.lce.preflight.finding import Finding
from converters.lce.preflight.keras_model import (
    dynamic_shapes,
    not_finite,
    other_keras,
    other_precisions,
)
from converters.lce.preflight.pools import lost_activations
from converters.lce.preflight.quantizers import (
    grouped,
    quantizer_findings,
    unknown_sign,
    unquantized,
)
from converters.lce.preflight.tf_graph import TFGraph
from converters.lce.preflight.windows import shifted_windows, small_images
from converters.passes import Target, checked_target


def untraceable(model: Any) -> tuple[Finding, ...]:
    """Findings that make the model's graph impossible to trace or meaningless; none otherwise."""
    for check in (other_keras, dynamic_shapes, other_precisions, not_finite):
        if found := check(model):
            return tuple(found)
    return ()


def preflight(
    model: Any, target: Target = "lce", layer_convs: list[BinaryConv] | None = None
) -> tuple[Finding, ...]:
    """Look for everything LCE's converter is known to get wrong or leave slow.

    Args:
        model: Keras model with one input.
        target: ``"lce"``: the file must run in LCE's default kernels; ``"delegate"``: what the
            delegate alone runs rightly is no finding.
        layer_convs: the model's :func:`converters.lce.binary_convs.binary_convs`, if known.

    Returns:
        Findings, those that ``--strict`` refuses first.

    Raises:
        UsageError: another target.
    """
    checked_target(target)
    if found := untraceable(model):
        return found
    if layer_convs is None:
        layer_convs = binary_convs(model)
    graph = TFGraph(model)
    convs = convolutions(graph)
    binary = [c for c in convs if c.is_binary and c.node.op == CONV and not unknown_sign(graph, c)]
    layers = {layer.name: layer for layer in model._flatten_layers()}
    every = [
        *shifted_windows(graph, convs),
        *small_images(graph, binary, target),
        *lost_activations(graph),
        *odd_constants(graph, binary),
        *fake_quantized_padding(graph, binary, target),
        *quantizer_findings(graph, convs),
        *grouped(layer_convs, target),
        *unquantized(graph, convs, layers),
    ]
    return tuple(sorted(dict.fromkeys(every), key=lambda finding: not finding.refuses))
