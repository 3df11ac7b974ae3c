"""Whether weights are +-c, one c per filter, and what keeps them from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# LCE's test of a kernel, mlir/transforms/prepare_tf.cc
MIN_SCALE = float(np.finfo(np.float32).eps)
TOLERANCE = 0.005

NOT_SIGNS = "weights are not signs"


@dataclass(frozen=True)
class Filters:
    """Weights of an operator.

    Attributes:
        is_binary: every filter is +c and -c with one c.
        is_nearly_binary: not quite, but near enough that they were meant to be.
        text: says what they are, e.g. ``"weights are not signs"``.
    """

    is_binary: bool
    is_nearly_binary: bool
    text: str


def taken_for_binary(kernel: NDArray[Any]) -> bool:
    """LCE's own test, which lets 0.5 % pass and rounds them away; first axis filters."""
    if not kernel.size:
        return False
    magnitude = np.abs(kernel.astype(np.float32)).reshape(len(kernel), -1)
    reference = magnitude[:, :1]
    if not (reference > MIN_SCALE).all():
        return False
    return bool((np.abs(magnitude / reference - 1) <= TOLERANCE).all())


def describe_filters(kernel: NDArray[Any]) -> Filters:
    """Judge a kernel whose first axis is filters, by LCE's rule."""
    count = len(kernel)
    if not kernel.size:
        return Filters(False, False, NOT_SIGNS)
    magnitude = np.abs(np.asarray(kernel, np.float64)).reshape(count, -1)
    if magnitude.shape[1] < 2 or not np.isfinite(magnitude).all():
        return Filters(False, False, NOT_SIGNS)
    reference = magnitude[:, :1]
    if (magnitude == reference).all() and (reference > MIN_SCALE).all():
        return Filters(True, False, "weights are +-c per filter")
    largest = magnitude.max(axis=1, keepdims=True)
    dead = int((largest <= MIN_SCALE).sum())
    levels = (magnitude == largest) | (magnitude == 0)
    if levels.all():
        holed = int((magnitude == 0).any(axis=1).sum()) - dead
        if dead == count:
            return Filters(False, False, "all weights are 0")
        if dead and not holed:
            text = f"{dead} of {count} filters are 0 throughout, the others +-c"
        else:
            text = f"weights are -c, 0 or +c: {holed + dead} of {count} filters hold zeros"
        return Filters(False, True, text)
    safe = np.where(reference > MIN_SCALE, reference, np.inf)
    off = np.abs(magnitude / safe - 1).max(axis=1)
    if off.max() <= 10 * TOLERANCE:
        wrong = int((off > 0).sum())
        return Filters(
            False,
            True,
            f"weights are not exactly +-c: {wrong} of {count} filters are off by up to "
            f"{100 * off.max():.2g} %",
        )
    if kernel.ndim > 2:
        per_channel = np.abs(kernel).reshape(-1, kernel.shape[-1])
        if (per_channel == per_channel[:1]).all():
            return Filters(False, True, "weights are +-c with one c per input channel")
    uniform = int((off == 0).sum())
    if uniform:
        return Filters(False, True, f"weights are +-c in {uniform} of {count} filters only")
    return Filters(False, False, NOT_SIGNS)
