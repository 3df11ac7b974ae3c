"""The training curve in a model card: ``docs/models/NAME.svg``, drawn from a run's metrics.csv."""

import hashlib
from pathlib import Path

from edge_bench.run_plots import metric_lines
from irnet_keras.errors import CheckFailed
from irnet_keras.files import atomic_write
from irnet_keras.training.inspection import read_metrics

# A picture in a page has no colour of the text around it; this grey is legible on white and black.
_GREY = "#808080"


def curve(run: Path) -> str:
    """The run's accuracy, or PSNR, over epochs, of training and validation images, as SVG.

    It names the SHA-256 of the metrics it was drawn from.

    Raises:
        CheckFailed: the run has less than two epochs.
    """
    path = run / "metrics.csv"
    metrics = read_metrics(path)
    metric = "psnr" if "psnr" in metrics else "accuracy"
    label = "PSNR, dB" if metric == "psnr" else metric
    svg = metric_lines(metrics, (f"val_{metric}", metric), label, zero=False)
    if svg is None:
        raise CheckFailed(f"{path} has less than two epochs: no curve can be drawn")
    return svg.replace("currentColor", _GREY).replace(">", f">{_mark(run)}", 1) + "\n"


def write_curve(run: Path, path: Path) -> None:
    """Draw it into a file, unless the file is of these metrics already."""
    if not is_current(run, path):
        atomic_write(path, curve(run))


def is_current(run: Path, path: Path) -> bool:
    """Whether the picture was drawn from the run's metrics as they are."""
    return path.exists() and _mark(run) in path.read_text()


def _mark(run: Path) -> str:
    sha256 = hashlib.sha256((run / "metrics.csv").read_bytes()).hexdigest()
    return f"<!-- of metrics.csv, SHA-256 {sha256} -->"
