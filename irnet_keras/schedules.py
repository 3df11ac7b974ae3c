"""Schedules as pure functions of progress; no TensorFlow."""

import math
from collections.abc import Sequence


def ede_t(progress: float, t_min: float = 1e-1, t_max: float = 1e1) -> float:
    """EDE's sharpness ``t = t_min * (t_max / t_min) ** progress``.

    Evaluated as ``t_min ** (1 - progress) * t_max ** progress``, so that both ends are
    exact: ``ede_t(0) == t_min`` and ``ede_t(1) == t_max``.

    Args:
        progress: fraction of the training done, 0 at the first step, 1 at the last.
        t_min: sharpness at the start. The paper has 1e-1; the released code uses 1e-3
            for ResNet-20 1w/1a (trainer.py) and 1e-1 for its other runs.
        t_max: sharpness at the end, 1e1 in the paper.

    Raises:
        ValueError: ``progress`` outside [0, 1], or not ``0 < t_min <= t_max``.

    References:
        Qin et al., "Forward and Backward Information Retention for Accurate Binary Neural
        Networks", CVPR 2020, eq. (11). The released code evaluates it once per epoch at
        epoch / epochs and so stops one step short of ``t_max``; ours reaches it.
    """
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress must be in [0, 1], got {progress!r}")
    if not (0.0 < t_min <= t_max and math.isfinite(t_max)):
        raise ValueError(f"need 0 < t_min <= t_max < inf, got t_min={t_min!r}, t_max={t_max!r}")
    return float(t_min ** (1.0 - progress) * t_max**progress)


def warmup_cosine(
    step: int, total_steps: int, peak: float, warmup_steps: int = 0, warmup_from: float = 0.0
) -> float:
    """Learning rate at ``step`` (0-based) of ``total_steps``: linear warm-up, then cosine to 0.

    Warm-up as in :func:`warm_up`; afterwards
    ``peak * (1 + cos(pi * (step - warmup_steps) / (total_steps - warmup_steps))) / 2``, so
    the rate is ``peak`` at the first step after warm-up and approaches 0 after the last step.

    Raises:
        ValueError: steps out of range.
    """
    if step < _checked(step, total_steps, warmup_steps):
        return warm_up(step, peak, warmup_steps, warmup_from)
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return 0.5 * peak * (1.0 + math.cos(math.pi * progress))


def warmup_steps_down(
    step: int,
    total_steps: int,
    peak: float,
    warmup_steps: int = 0,
    warmup_from: float = 0.0,
    *,
    boundaries: Sequence[float] = (0.3, 0.6, 0.9),
    factor: float = 0.1,
) -> float:
    """Learning rate at ``step`` (0-based): linear warm-up, then ``peak``, falling in steps.

    From step ``round(b * total_steps)`` on, for every b of ``boundaries`` (fractions of the whole
    run, warm-up included), the rate is multiplied by ``factor``.

    Raises:
        ValueError: steps out of range.
    """
    if step < _checked(step, total_steps, warmup_steps):
        return warm_up(step, peak, warmup_steps, warmup_from)
    passed = sum(step >= round(b * total_steps) for b in boundaries)
    return float(peak * factor**passed)


def warm_up(step: int, peak: float, warmup_steps: int, warmup_from: float = 0.0) -> float:
    """Rises linearly: ``start + (peak - start) * (step + 1) / warmup_steps``.

    ``start`` is ``warmup_from * peak``; the last step of the warm-up has ``peak``.
    """
    start = warmup_from * peak
    return start + (peak - start) * (step + 1) / warmup_steps


def _checked(step: int, total_steps: int, warmup_steps: int) -> int:
    """``warmup_steps``, if they and the step fit."""
    if not (0 <= warmup_steps < total_steps and step >= 0):
        raise ValueError(
            f"need 0 <= warmup_steps < total_steps and step >= 0, got step={step}, "
            f"total_steps={total_steps}, warmup_steps={warmup_steps}"
        )
    return warmup_steps
