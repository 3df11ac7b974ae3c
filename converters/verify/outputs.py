"""Logits end to end: agreement, accuracy, and closeness where closeness means something."""

import numpy as np
from numpy.typing import NDArray

from converters.verify.report import Kind, Limits, OutputReport

# Allowed logit difference relative to the largest logit. float32: 2^-12 is 4096 roundings, far
# above two correct summation orders, far below any wrong weight. float16: weights carry 2^-11
# each, and some tens of layers add theirs. int8 files are compared by argmax and accuracy only.
LOGIT_TOLERANCES: dict[Kind, float] = {"lce": 2.0**-12, "float32": 2.0**-12, "float16": 2.0**-5}


# Least PSNR, in dB, between Keras's image and the file's. int8: about two steps of 1/255.
IMAGE_PSNR: dict[Kind, float] = {"lce": 40.0, "float32": 60.0, "float16": 45.0, "int8": 30.0}
BEST_PSNR = 200.0  # of equal images, which would have infinitely much


def compare_outputs(
    kind: Kind,
    keras: NDArray[np.float32],
    file: NDArray[np.float32],
    labels: NDArray[np.int64] | None,
    reference: NDArray[np.float32] | None,
    added: float = 0.0,
) -> OutputReport:
    """Compare logits.

    Args:
        kind: what the file is.
        keras: logits ``(n, classes)``, or images ``(n, height, width, channels)``, 0..1.
        file: logits of the same shape.
        labels: classes ``(n,)``; None where there are none.
        reference: logits the file's should be close to, or None.
        added: how much farther than rounding they may be.
    """
    images = _image_psnr(keras, file) if keras.ndim == 4 else None
    # different, and no class: an image without an answer is neither right nor in agreement
    vectors = [x.reshape(len(x), -1) for x in (keras, file)]
    classes, file_classes = _answers(vectors[0], -1), _answers(vectors[1], -2)
    right = None if labels is None else (classes == labels, file_classes == labels)
    relative = LOGIT_TOLERANCES.get(kind)
    worst, tolerance = None, None
    if relative is not None and reference is not None:
        with np.errstate(invalid="ignore"):
            error = np.abs(reference.astype(np.float64) - file)
        worst = float(np.where(np.isfinite(error), error, np.finfo(np.float64).max).max())
        size = float(np.abs(reference[np.isfinite(reference)]).max(initial=0.0))
        tolerance = relative * size + added
    return OutputReport(
        num_images=len(keras),
        agreement=float(
            (classes == file_classes if images is None else images >= IMAGE_PSNR[kind]).mean()
        ),
        keras_accuracy=None if right is None else float(right[0].mean()),
        file_accuracy=None if right is None else float(right[1].mean()),
        changed=None if right is None else int((right[0] != right[1]).sum()),
        worst_logit_error=worst,
        logit_tolerance=tolerance,
        keras_non_finite=_non_finite(keras),
        file_non_finite=_non_finite(file),
        reference_non_finite=0 if reference is None else _non_finite(reference),
        least_psnr=None if images is None else float(images.min()),
        worst_difference=None if images is None else _worst_difference(keras, file),
    )


def _image_psnr(keras: NDArray[np.float32], file: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each image, for a range of 0 to 1; 0 dB where a value is NaN or infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.square(keras.astype(np.float64) - file).mean(axis=(1, 2, 3))
    error = np.where(np.isfinite(error), error, 1.0)
    return -10 * np.log10(np.maximum(error, 10 ** (-BEST_PSNR / 10)))


def _worst_difference(keras: NDArray[np.float32], file: NDArray[np.float32]) -> float:
    with np.errstate(invalid="ignore"):
        difference = np.abs(keras.astype(np.float64) - file)
    return float(np.where(np.isfinite(difference), difference, np.finfo(np.float64).max).max())


def _answers(logits: NDArray[np.float32], missing: int) -> NDArray[np.int64]:
    """Class of each image, ``missing`` where a logit is NaN or infinite."""
    return np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), missing)


def _non_finite(logits: NDArray[np.float32]) -> int:
    return int((~np.isfinite(logits)).sum())


def output_reasons(
    kind: Kind, report: OutputReport, limits: Limits, *, int8_leftovers: bool = False
) -> list[str]:
    """Why the comparison fails, empty when it passes.

    ``int8_leftovers``: the file computes some float layers in int8.
    """
    reasons = [
        f"{count} logits of {whose} are NaN or infinite"
        for whose, count in [
            ("Keras", report.keras_non_finite),
            ("the file", report.file_non_finite),
            ("Keras given the file's signs", report.reference_non_finite if kind == "lce" else 0),
        ]
        if count
    ]
    worst, tolerance = report.worst_logit_error, report.logit_tolerance
    compared = worst is not None and tolerance is not None
    if worst is not None and tolerance is not None and not (worst <= tolerance):
        given = " when Keras is given the file's signs" if kind == "lce" else ""
        reasons.append(f"logits differ by {worst:.3g}{given}, at most {tolerance:.3g} allowed")
    reasons += _accuracy_reasons(kind, report, limits, int8_leftovers=int8_leftovers)
    # (see Limits.min_agreement)
    faithful = kind == "lce" and compared and not reasons
    if not (report.agreement >= limits.min_agreement) and not faithful:
        what = "the same argmax"
        if report.least_psnr is not None:
            what = (
                f"a PSNR of {IMAGE_PSNR[kind]:g} dB to Keras's (the worst {report.least_psnr:.1f})"
            )
        reasons.append(
            f"only {report.agreement:.1%} of {report.num_images} images have {what}, "
            f"at least {limits.min_agreement:.0%} needed"
        )
    return reasons


def _accuracy_reasons(
    kind: Kind, report: OutputReport, limits: Limits, *, int8_leftovers: bool
) -> list[str]:
    keras, file, changed = report.keras_accuracy, report.file_accuracy, report.changed
    if keras is None or file is None or changed is None:
        return []
    if report.num_images < limits.min_accuracy_images:
        return []
    points = limits.int8_accuracy_points if kind == "int8" else limits.max_accuracy_points
    if int8_leftovers:
        points = limits.int8_leftovers_points
    # in whole images, rounded: accuracies and points are not exact in binary
    difference = round(abs(keras - file) * report.num_images)
    allowed = round(points * report.num_images / 100, 6)
    strict = kind != "int8" and report.num_images >= limits.strict_accuracy_images
    if not strict:
        allowed = max(allowed, 2 * changed**0.5)
    if difference <= allowed:
        return []
    return [
        f"accuracy {file:.2%}, Keras {keras:.2%}: more than {points} points "
        f"{'' if strict else 'and more than chance '}apart on {report.num_images} images"
    ]
