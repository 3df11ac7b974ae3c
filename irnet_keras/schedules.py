"""Schedules as pure functions of progress; no TensorFlow."""

import math


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


def warmup_cosine(step: int, total_steps: int, peak: float, warmup_steps: int = 0) -> float:
    """Learning rate at ``step`` (0-based) of ``total_steps``: linear warm-up, then cosine to 0.

    Warm-up step i has ``peak * (i + 1) / warmup_steps``; afterwards
    ``peak * (1 + cos(pi * (step - warmup_steps) / (total_steps - warmup_steps))) / 2``, so
    the rate is ``peak`` at the first step after warm-up and approaches 0 after the last step.

    Raises:
        ValueError: steps out of range.
    """
    if not (0 <= warmup_steps < total_steps and step >= 0):
        raise ValueError(
            f"need 0 <= warmup_steps < total_steps and step >= 0, got step={step}, "
            f"total_steps={total_steps}, warmup_steps={warmup_steps}"
        )
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return 0.5 * peak * (1.0 + math.cos(math.pi * progress))
