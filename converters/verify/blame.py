"""Which layer to name where a part of the file does not agree with Keras."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from converters.graph import Graph
from converters.verify.counterparts import Counterpart, largest_difference
from converters.verify.flips import FLOAT_OPS_TOLERANCE
from converters.verify.layer_steps import Step, has_weights, is_near

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "LceBconv2d")

_BIAS = {"TRANSPOSE_CONV": 3, "LceBconv2d": 3}  # which input of an operator, else 2


@dataclass(frozen=True)
class Mismatch:
    """Layers that do not agree.

    Attributes:
        layer: the one to blame, as far as the file shows.
        text: what differs, by how much, on which image.
    """

    layer: str
    text: str


def blame(
    group: list[Step],
    candidates: list[Counterpart],
    names: Sequence[str],
    near: float = np.inf,
) -> Mismatch | None:
    """Name the layer of a group whose tensor in the file differs; None if it has none there.

    Args:
        group: calls that agree with nothing in the file.
        candidates: tensors of the file that agree with no call, those to look at first in front.
        names: of the images.
        near: the first of these counts whose average difference from one of the calls is up
            to this share of its spread.
    """
    pairs = [
        (found, step)
        for found in candidates
        if found.tensor.dtype != "INT32"
        for step in group
        if step.values is not None
        and step.values.shape == found.values.shape
        and (near == np.inf or is_near(found.values, step.values, near))
    ]
    if not pairs:
        return None
    start = pairs[0][0]
    found, step, difference = min(
        (
            (found, step, largest_difference(found.values, step.values))
            for found, step in pairs
            if found is start and step.values is not None
        ),
        key=lambda entry: entry[2].error,
    )
    blamed = step
    if found.op.name in WEIGHTED:
        until = group[: group.index(step) + 1]
        blamed = next((s for s in reversed(until) if has_weights(s.layer)), step)
    shape = step.tensors[0].shape[1:]
    place = tuple(int(i) for i in np.unravel_index(difference.place, shape))
    through = "" if blamed is step else f" (compared behind {step.name})"
    return Mismatch(
        blamed.name,
        f"{found.describe()} differs from Keras by {difference.error:.3g} "
        f"({FLOAT_OPS_TOLERANCE * step.scale:.2g} allowed) at {place} of "
        f"{names[difference.image]}{through}",
    )


def lacks_offset(graph: Graph, found: Counterpart, group: list[Step]) -> bool:
    """Whether a tensor is a call's but for a bias that the converter adds in the next operators.

    So it does where these have weights. What is missing is all of the bias, one number per
    channel: a bias that is only wrong is not 0, and what it is off by is added nowhere else.

    Args:
        graph: the file.
        found: written by an operator with weights.
        group: calls that agree with nothing in the file.
    """
    slot = _BIAS.get(found.op.name, 2)
    index = found.op.inputs[slot] if len(found.op.inputs) > slot else -1
    bias = graph.tensors[index].data if index >= 0 else np.zeros(1)
    if bias is None or bias.any():
        return False
    readers = graph.consumers(found.tensor.index)
    if not readers or any(reader.name not in WEIGHTED for reader in readers):
        return False
    for step in group:
        if step.values is None or step.values.shape != found.values.shape:
            continue
        missing = (step.values - found.values).reshape(-1, found.tensor.shape[-1])
        if (np.ptp(missing, axis=0) <= 2 * FLOAT_OPS_TOLERANCE * step.scale).all():
            return True
    return False
