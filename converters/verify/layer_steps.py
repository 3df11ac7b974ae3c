"""One layer call of a Keras model, and what can be said of its values alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.verify.counterparts import Floats


@dataclass(eq=False)
class Step:
    """One layer call.

    Attributes:
        values: its output ``(images, size)``, None if that is not one number array per image.
        scale: size of the values it was computed from, in units of its output.
        is_open: nothing in the file agrees with it so far.
        sources: calls whose outputs it read.
    """

    name: str
    layer: Any
    values: Floats | None
    scale: float
    is_open: bool
    sources: list["Step"]
    tensors: tuple[Any, ...] = ()  # keeps their ids from being used again


def largest(values: Floats) -> float:
    """Largest finite absolute value."""
    size = np.abs(values)
    return float(size.max(initial=0.0, where=np.isfinite(size)))


def rounding_scale(values: Floats, sources: list[Step]) -> float:
    """What roundings are relative to: this output, and inputs that were not compared yet.

    A batch norm takes large values with a large mean to small ones; their roundings stay, as
    large as the spread has become smaller.
    """
    scale = largest(values)
    for source in sources:
        if not source.is_open or source.values is None:
            continue
        with np.errstate(all="ignore"):
            before, now = float(np.std(source.values)), float(np.std(values))
        gain = now / before if before > 0 and np.isfinite(now / before) else 1.0
        scale = max(scale, source.scale * gain)
    return scale


def before_sign(step: Step) -> Step:
    """The value of which a layer took the sign, where that is a layer of its own."""
    while (
        step.values is not None
        and len(step.sources) == 1
        and step.sources[0].values is not None
        and step.sources[0].values.shape == step.values.shape
        and bool((np.abs(step.values) == 1).all())
    ):
        step = step.sources[0]
    return step


def limits(values: Floats) -> tuple[float, float]:
    """What an activation cuts values off at: no rounding before it takes them further."""
    low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
    return (
        float(low) if (values == low).sum() > 1 else -np.inf,
        float(high) if (values == high).sum() > 1 else np.inf,
    )


def is_near(found: Floats, expected: Floats, share: float) -> bool:
    """Whether the average difference is at most that share of the spread."""
    with np.errstate(all="ignore"):
        return bool(np.abs(found - expected).mean() <= share * np.std(expected))


def is_constant(values: Floats) -> bool:
    """Whether there are several values and all are equal."""
    return values.size > 1 and bool((values == values.flat[0]).all())


def has_weights(layer: Any) -> bool:
    """Whether a layer multiplies with weights."""
    return any(getattr(layer, name, None) is not None for name in ("kernel", "depthwise_kernel"))
