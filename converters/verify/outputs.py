"""Logits end to end: agreement, accuracy, and closeness where closeness means something."""

import numpy as np
from numpy.typing import NDArray

from converters.verify.report import Kind, Limits, OutputReport

# Allowed logit difference relative to the largest logit. float32: 2^-12 is 4096 roundings, far
# above two correct summation orders, far below any wrong weight. float16: weights carry 2^-11
# each, and some tens of layers add theirs. int8 files are compared by argmax and accuracy only.
LOGIT_TOLERANCES: dict[Kind, float] = {"lce": 2.0**-12, "float32": 2.0**-12, "float16": 2.0**-5}


def compare_outputs(
    kind: Kind,
    keras: NDArray[np.float32],
    file: NDArray[np.float32],
    labels: NDArray[np.int64],
    comparable: NDArray[np.bool_],
) -> OutputReport:
    """Compare logits.

    Args:
        kind: what the file is.
        keras: logits ``(n, classes)``.
        file: logits of the same shape.
        labels: classes ``(n,)``.
        comparable: boolean ``(n,)``: images whose logits should be close.
    """
    classes, file_classes = keras.argmax(axis=1), file.argmax(axis=1)
    right, file_right = classes == labels, file_classes == labels
    relative = LOGIT_TOLERANCES.get(kind)
    error = np.abs(keras.astype(np.float64) - file)[comparable]
    error = np.where(np.isfinite(error), error, np.finfo(np.float64).max)
    compared = relative is not None and error.size > 0
    return OutputReport(
        num_images=len(labels),
        agreement=float((classes == file_classes).mean()),
        keras_accuracy=float(right.mean()),
        file_accuracy=float(file_right.mean()),
        changed=int((right != file_right).sum()),
        worst_logit_error=float(error.max()) if compared else None,
        compared_images=int(comparable.sum()) if compared else 0,
        logit_tolerance=(
            relative * float(np.abs(keras).max()) if compared and relative is not None else None
        ),
    )


def output_reasons(kind: Kind, report: OutputReport, limits: Limits) -> list[str]:
    """Why the comparison fails, empty when it passes."""
    reasons = []
    if report.agreement < limits.min_agreement:
        reasons.append(
            f"only {report.agreement:.1%} of {report.num_images} images have the same argmax, "
            f"at least {limits.min_agreement:.0%} needed"
        )
    points = limits.int8_accuracy_points if kind == "int8" else limits.max_accuracy_points
    difference = abs(report.keras_accuracy - report.file_accuracy)
    chance = 2 * report.changed**0.5 / report.num_images
    if report.num_images >= limits.min_accuracy_images and difference > max(points / 100, chance):
        reasons.append(
            f"accuracy {report.file_accuracy:.2%}, Keras {report.keras_accuracy:.2%}: "
            f"more than {points} points apart on {report.num_images} images"
        )
    if (
        report.worst_logit_error is not None
        and report.logit_tolerance is not None
        and report.worst_logit_error > report.logit_tolerance
    ):
        reasons.append(
            f"logits differ by {report.worst_logit_error:.3g} on images without a flipped sign, "
            f"at most {report.logit_tolerance:.3g} allowed"
            if kind == "lce"
            else f"logits differ by {report.worst_logit_error:.3g}, "
            f"at most {report.logit_tolerance:.3g} allowed"
        )
    return reasons
