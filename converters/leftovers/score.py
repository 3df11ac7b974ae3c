"""What quantization changed in a file's answers, and whether it may be kept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph
from converters.leftovers.comparison import comparison_images
from converters.leftovers.modes import LIMIT_POINTS, Mode
from converters.leftovers.representative import OPTION
from converters.leftovers.statistics import Doubles, Outside, Ranges, most_outside
from converters.runtimes.modes import engine_for
from converters.runtimes.watching import opened
from irnet_keras.data.preprocessing import Inputs
from irnet_keras.errors import CheckFailed

# Of the spread of an output. Right files: 0.001 to 0.21, and 0.53 where random weights let the
# signs of a deep binary network flip; calibrated on one dark value: 0.94 and more
# (docs/explanation/leftovers.md).
MAX_RELATIVE_ERROR = 0.75
# Share of one tensor's values outside of its calibrated range. Of n images, 2 / (n + 1) of the
# next ones lie outside of the range of a single value: 22 % with the fewest that are accepted.
MAX_OUTSIDE = 0.5


@dataclass(frozen=True)
class Score:
    """The file before and after, on the same images.

    Attributes:
        num_images: images run.
        images: which.
        accuracy_before: with float leftovers, 0..1; None without labels.
        accuracy_after: with quantized leftovers.
        changed: images that are right in exactly one of the two; None without labels.
        agreement: share of images with the same largest value of the first output; None if that
            is no vector.
        mean_difference: of outputs, absolute; all outputs together, as the next two.
        worst_difference: of outputs, absolute.
        largest_output: absolute, before; for scale.
        relative_error: root mean square difference of an output by the standard deviation of its
            values before, of all images together; the output where it is largest.
        outside: the tensor with most values outside of its calibrated range; None without ranges.
    """

    num_images: int
    images: str
    accuracy_before: float | None
    accuracy_after: float | None
    changed: int | None
    agreement: float | None
    mean_difference: float
    worst_difference: float
    largest_output: float
    relative_error: float
    outside: Outside | None = None


def score(
    before: Graph, after: Graph, representative: Inputs, ranges: Ranges | None = None
) -> Score:
    """Run both files on images they were not calibrated on, where the input is a colour image.

    CIFAR-10 shaped classifiers: on the shipped test images, with labels. Others: on the same
    images resized, or, where the input is no colour image, on the representative data.

    Args:
        before: with float leftovers.
        after: quantized.
        representative: what it was calibrated on.
        ranges: calibrated ranges of tensors of ``before``.

    Raises:
        CheckFailed: outputs are NaN or infinite, or a file crashed.
    """
    shape = before.tensors[before.inputs[0]].shape[1:]
    outputs = tuple(before.tensors[i].shape[1:] for i in before.outputs)
    inputs, labels, what = comparison_images(shape, outputs, representative)
    old, new = _outputs(before, inputs), _outputs(after, inputs)
    if not all(np.isfinite(x).all() for x in new):
        raise CheckFailed("with quantized leftovers the file's outputs are NaN or infinite")
    difference = [np.abs(b - a) for a, b in zip(old, new, strict=True)]
    every = np.concatenate([x.ravel() for x in difference])
    answers, new_answers = _classes(old[0]), _classes(new[0])
    right = None if labels is None else (answers == labels, new_answers == labels)
    return Score(
        num_images=len(inputs),
        images=what,
        accuracy_before=None if right is None else float(right[0].mean()),
        accuracy_after=None if right is None else float(right[1].mean()),
        changed=None if right is None else int((right[0] != right[1]).sum()),
        agreement=float((answers == new_answers).mean()) if len(outputs[0]) == 1 else None,
        mean_difference=float(every.mean()),
        worst_difference=float(every.max()),
        largest_output=max(float(np.abs(x).max()) for x in old),
        relative_error=max(_relative(d, x) for d, x in zip(difference, old, strict=True)),
        outside=most_outside(before, ranges, inputs) if ranges else None,
    )


def allowed_loss(result: Score, mode: Mode) -> float:
    """Images that may be right before and wrong after, more than the other way round.

    The limit, and chance: of ``changed`` images that are as likely to turn right as wrong, the
    surplus has a standard deviation of ``sqrt(changed)``; two of them are allowed. On 1,000
    images this tells a loss of some points from chance, not one of tenths.
    """
    changed = result.changed or 0
    return LIMIT_POINTS[mode] / 100 * result.num_images + 2 * changed**0.5


def check(result: Score, mode: Mode) -> None:
    """Refuse what has lost too much accuracy, or does not compute what the file did.

    Raises:
        CheckFailed: see :func:`allowed_loss`, ``MAX_OUTSIDE`` and ``MAX_RELATIVE_ERROR``.
    """
    if result.accuracy_before is not None and result.accuracy_after is not None:
        # in whole images: accuracies are not exact in binary
        lost = round((result.accuracy_before - result.accuracy_after) * result.num_images)
        if lost > allowed_loss(result, mode):
            raise CheckFailed(
                f"--leftovers {mode}: accuracy falls from {result.accuracy_before:.2%} to "
                f"{result.accuracy_after:.2%} on {result.num_images} images, by {lost}; at most "
                f"{allowed_loss(result, mode):.0f} allowed "
                f"({LIMIT_POINTS[mode]:g} points and chance)"
            )
    if result.outside is not None and result.outside.share > MAX_OUTSIDE:
        found = result.outside
        raise CheckFailed(
            f"--leftovers {mode}: {found.share:.1%} of the values of {found.tensor!r} lie outside "
            f"of the calibrated {found.low:.3g}..{found.high:.3g} on {found.num_images} images "
            f"({result.images}), at most {MAX_OUTSIDE:.0%} allowed; {_cure(mode)}"
        )
    if not (result.relative_error <= MAX_RELATIVE_ERROR):
        raise CheckFailed(
            f"--leftovers {mode}: outputs differ by {result.relative_error:.1%} of their standard "
            f"deviation (root mean square) on {result.num_images} images ({result.images}), at "
            f"most {MAX_RELATIVE_ERROR:.0%} allowed; {_cure(mode)}"
        )


def _cure(mode: Mode) -> str:
    other = "int8-weights or float32" if mode == "int8" else "float32"
    return f"give {OPTION} more and more varied images, or take --leftovers {other}"


def _relative(difference: Doubles, before: Doubles) -> float:
    """Root mean square by standard deviation; 0 where nothing differs."""
    error, spread = float(np.sqrt(np.square(difference).mean())), float(before.std())
    if error == 0:
        return 0.0
    # an output that says the same of every image: what it says
    return error / (spread or float(np.abs(before).max()) or error)


def _classes(outputs: Doubles) -> NDArray[np.int64]:
    return outputs.reshape(len(outputs), -1).argmax(axis=1)


def _outputs(graph: Graph, inputs: Inputs) -> list[Doubles]:
    """Every output, ``(n, *shape)``."""
    with opened(graph.data, engine=engine_for(graph)) as process:
        return [array.astype(np.float64) for array in process.run_all(inputs)]
