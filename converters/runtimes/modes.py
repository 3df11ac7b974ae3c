"""Which runtime and which kernels run a model."""

import os
from pathlib import Path

from converters.graph import BCONV, BconvOptions, Graph, Op, read_graph
from converters.graph.lce_ops import SAME
from converters.runtimes.delegate import AUTO_KERNEL, DELEGATE
from converters.runtimes.interpreters import DEFAULT, INDIRECT, LCE, LITERT, MODES, REFERENCE
from irnet_keras.errors import UsageError

AUTO = "auto"
ENGINES = (AUTO, DELEGATE, LCE, LITERT)
# What a user chooses for files with Larq operators; others run in LiteRT whatever is chosen.
RUNTIMES = (AUTO, DELEGATE, LCE)


def uses_lce(graph: Graph) -> bool:
    """Whether a file holds Larq Compute Engine's operators."""
    return any(op.name.startswith("Lce") for op in graph.ops)


def engine_for(
    source: str | os.PathLike[str] | Graph, runtime: str = AUTO, kernel: str = AUTO_KERNEL
) -> str:
    """Engine of a file for a runtime chosen by the user.

    Args:
        source: the file, or its graph.
        runtime: one of ``RUNTIMES``; ``"auto"`` is the delegate. Only files with Larq operators
            have the choice.
        kernel: kernel set of the delegate.

    Returns:
        ``"delegate"``, ``"lce"`` or ``"litert"``.

    Raises:
        UsageError: an unknown runtime, a bad file, or a kernel set for another engine than the
            delegate.
    """
    checked_choice("--runtime", runtime, RUNTIMES)
    graph = source if isinstance(source, Graph) else read_graph(source)
    engine = (LCE if runtime == LCE else DELEGATE) if uses_lce(graph) else LITERT
    checked_kernel(engine, kernel)
    return engine


def checked_kernel(engine: str, kernel: str) -> None:
    """Raise :class:`UsageError` for a kernel set of the delegate where something else runs."""
    if kernel != AUTO_KERNEL and engine != DELEGATE:
        name = "LiteRT alone" if engine == LITERT else "LCE's interpreter"
        raise UsageError(f"--kernel {kernel!r} is for the delegate, but the file runs in {name}")


def choose(
    graph: Graph, path: Path, engine: str, mode: str | None, *, even_wrong: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Engine and the modes to try in order, the first that the runtime accepts is used.

    Nothing falls back from one engine to another: what runs is what was asked for, and for
    files with Larq operators ``"auto"`` asks for the delegate. ``even_wrong`` allows kernels that
    are known to be wrong for the file, for those who compare what comes out.

    Raises:
        UsageError: unknown names, a mode the engine does not have or that is wrong for the file.
    """
    checked_choice("engine", engine, ENGINES)
    if mode is not None:
        checked_choice("mode", mode, (DELEGATE, *MODES))
    if engine == AUTO:
        if mode == DELEGATE or (mode is None and uses_lce(graph)):
            engine = DELEGATE
        else:
            engine = LCE if uses_lce(graph) else LITERT
    if (engine == DELEGATE) != (mode == DELEGATE) and mode is not None:
        raise UsageError(f"engine {engine} has no mode {mode}")
    if engine == DELEGATE:
        return engine, (DELEGATE,)
    if engine == LITERT:
        return engine, (mode or DEFAULT,)
    right = candidates(graph)
    if mode is None:
        return engine, right
    if mode not in right and not even_wrong:
        raise UsageError(
            f"{path}: {mode} kernels are wrong for {window_exceeds_image(graph)!r}, "
            "whose kernel is larger than its image; use reference"
        )
    return engine, (mode,)


def checked_choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    """Raise :class:`UsageError` for a value that is not among those accepted."""
    if value not in accepted:
        raise UsageError(f"{name} must be one of {', '.join(accepted)}, got {value!r}")


def window_exceeds_image(graph: Graph) -> str | None:
    """Name a zero-padded binary convolution whose kernel is larger than its image, or None.

    For those LCE's BGEMM kernels (default and indirect) skip the padding correction without a
    word and give wrong results; of LCE's, only the reference kernel is right (checked in LCE
    0.16: 3x3 on 1x1 and 2x2, 5x5 on 4x4). The delegate is right.
    """
    for op in graph.ops_named(BCONV):
        if window_exceeds_image_of(graph, op):
            return graph.tensors[op.outputs[0]].name
    return None


def window_exceeds_image_of(graph: Graph, op: Op) -> bool:
    """Whether one operator is such a convolution."""
    if not is_zero_padded(op):
        return False
    options = op.options
    if not isinstance(options, BconvOptions):
        return False
    _, image_height, image_width, _ = graph.tensors[op.inputs[0]].shape
    _, height, width, _ = graph.tensors[op.inputs[1]].shape
    return bool(
        image_height < (height - 1) * options.dilation_height_factor + 1
        or image_width < (width - 1) * options.dilation_width_factor + 1
    )


def is_zero_padded(op: Op) -> bool:
    """Whether an operator is a binary convolution whose SAME padding is 0, not +1."""
    options = op.options
    return isinstance(options, BconvOptions) and (options.padding, options.pad_values) == (SAME, 0)


def candidates(graph: Graph) -> tuple[str, ...]:
    """LCE's modes to try in order; the first that its interpreter accepts is used.

    The indirect kernel is the fastest one on x86-64 and on small images, and the only fast one
    with groups; default BGEMM takes what it refuses; the reference loops take the rest.
    """
    if window_exceeds_image(graph):
        return (REFERENCE,)
    return (INDIRECT, DEFAULT, REFERENCE)
