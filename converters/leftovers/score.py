"""What quantization changed in a file's answers, and whether it may be kept."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph
from converters.leftovers.modes import LIMIT_POINTS, Mode
from converters.leftovers.representative import sample_inputs
from converters.runtimes.modes import engine_for
from converters.runtimes.watching import opened
from irnet_keras.data.cifar10 import LABELS
from irnet_keras.data.preprocessing import Inputs, preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed


@dataclass(frozen=True)
class Score:
    """The file before and after, on the same images.

    Attributes:
        num_images: images run.
        images: which.
        accuracy_before: with float leftovers, 0..1; None without labels.
        accuracy_after: with quantized leftovers.
        changed: images that are right in exactly one of the two; None without labels.
        agreement: share of images with the same largest output; None if outputs are no vector.
        mean_difference: of outputs, absolute.
        worst_difference: of outputs, absolute.
        largest_output: absolute, before; for scale.
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


def score(before: Graph, after: Graph, representative: Inputs | None) -> Score:
    """Run both files.

    CIFAR-10 shaped classifiers: on the shipped test images, with labels. Others: on the same
    images resized, or, where the input is no colour image, on the representative data.

    Raises:
        CheckFailed: outputs are NaN or infinite, or a file crashed.
    """
    shape = before.tensors[before.inputs[0]].shape[1:]
    labels: NDArray[np.int64] | None = None
    outputs = before.tensors[before.outputs[0]].shape[1:]
    if shape == (32, 32, 3) and outputs == (len(LABELS),):
        test = load_sample().test
        inputs, labels, what = preprocess(test.images), test.labels, "CIFAR-10 test, shipped sample"
    elif len(shape) == 3 and shape[2] == 3:
        inputs, what = sample_inputs(shape, test=True), f"CIFAR-10 test, resized to {shape[:2]}"
    elif representative is not None:
        inputs, what = representative, "representative data"
    else:  # (sample_inputs has refused before)
        raise CheckFailed(f"no images of shape {shape} to compare with")
    old, new = _outputs(before, inputs), _outputs(after, inputs)
    if not np.isfinite(new).all():
        raise CheckFailed("with quantized leftovers the file's outputs are NaN or infinite")
    difference = np.abs(new.astype(np.float64) - old)
    right = None if labels is None else (_classes(old) == labels, _classes(new) == labels)
    return Score(
        num_images=len(inputs),
        images=what,
        accuracy_before=None if right is None else float(right[0].mean()),
        accuracy_after=None if right is None else float(right[1].mean()),
        changed=None if right is None else int((right[0] != right[1]).sum()),
        agreement=float((_classes(old) == _classes(new)).mean()) if len(outputs) == 1 else None,
        mean_difference=float(difference.mean()),
        worst_difference=float(difference.max()),
        largest_output=float(np.abs(old).max()),
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
    """Refuse what has lost too much accuracy.

    Raises:
        CheckFailed: see :func:`allowed_loss`.
    """
    if result.accuracy_before is None or result.accuracy_after is None:
        return
    # in whole images: accuracies are not exact in binary
    lost = round((result.accuracy_before - result.accuracy_after) * result.num_images)
    if lost > allowed_loss(result, mode):
        raise CheckFailed(
            f"--leftovers {mode}: accuracy falls from {result.accuracy_before:.2%} to "
            f"{result.accuracy_after:.2%} on {result.num_images} images, by {lost}; at most "
            f"{allowed_loss(result, mode):.0f} allowed ({LIMIT_POINTS[mode]:g} points and chance)"
        )


def _classes(outputs: NDArray[np.float32]) -> NDArray[np.int64]:
    return outputs.reshape(len(outputs), -1).argmax(axis=1)


def _outputs(graph: Graph, inputs: Inputs) -> NDArray[np.float32]:
    with opened(graph.data, engine=engine_for(graph)) as process:
        return process.run(inputs)
