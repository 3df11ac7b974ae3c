"""Which kernels of LCE may run a model, best first."""

from converters.graph import BCONV, BconvOptions, Graph
from converters.graph.lce_ops import SAME
from converters.runtimes.interpreters import DEFAULT, INDIRECT, REFERENCE


def window_exceeds_image(graph: Graph) -> str | None:
    """Name a zero-padded binary convolution whose kernel is larger than its image, or None.

    For those LCE's BGEMM kernels (default and indirect) skip the padding correction without a
    word and give wrong results; only the reference kernel is right (checked in LCE 0.16:
    3x3 on 1x1 and 2x2, 5x5 on 4x4).
    """
    for op in graph.ops_named(BCONV):
        options = op.options
        if not isinstance(options, BconvOptions):
            continue
        if options.padding != SAME or options.pad_values != 0:
            continue
        _, image_height, image_width, _ = graph.tensors[op.inputs[0]].shape
        _, height, width, _ = graph.tensors[op.inputs[1]].shape
        if (
            image_height < (height - 1) * options.dilation_height_factor + 1
            or image_width < (width - 1) * options.dilation_width_factor + 1
        ):
            return graph.tensors[op.outputs[0]].name
    return None


def candidates(graph: Graph) -> tuple[str, ...]:
    """Modes to try in order; the first that the runtime accepts is used.

    The indirect kernel is the fastest one on x86-64 and on small images, and the only fast one
    with groups; default BGEMM takes what it refuses; the reference loops take the rest.
    """
    if window_exceeds_image(graph):
        return (REFERENCE,)
    return (INDIRECT, DEFAULT, REFERENCE)
