"""A training run as one HTML file that needs nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

from edge_bench import run_plots as plots
from edge_bench.page import render_template
from irnet_keras.files import atomic_write
from irnet_keras.training.information import LayerInformation
from irnet_keras.training.inspection import Inspection

TEMPLATE = "run.html.j2"


def write_run_page(run: Inspection, path: str | os.PathLike[str]) -> Path:
    """Write the page of a run.

    Raises:
        UsageError: the file cannot be written.
    """
    atomic_write(path, render_run_page(run))
    return Path(path)


def render_run_page(run: Inspection) -> str:
    """The page as HTML text."""
    return render_template(
        TEMPLATE,
        title=f"Run of {run.config.name}",
        run=run,
        # figures escape the names they draw; the template marks these, and only these, as safe
        figures=[f for f in _figures(run) if f[1] is not None],
        rows=[layer_row(info) for info in run.layers],
        settings=[(k, str(v)) for k, v in run.config.model_dump().items()],
    )


def layer_row(info: LayerInformation) -> dict[str, str]:
    """The cells of a layer, by column title; the first is the row's heading."""
    return {
        "Layer": info.layer,
        "Weights": f"{info.weights:,}",
        "Entropy, bits": _cell(info.entropy, "{:.4f}"),
        "Per filter": _cell(info.filter_entropy, "{:.4f}"),
        "Flipped": _cell(info.flip_rate, "{:.2%}"),
        "Useful gradient": _cell(info.useful_gradient, "{:.1%}"),
        "Quantization error": _cell(info.quantization_error, "{:.3f}"),
        "Dead filters": _cell(info.dead_filters, "{}"),
        "t": _cell(info.kernel_t if info.kernel_t is not None else info.input_t, "{:.3g}"),
    }


def _cell(value: float | None, form: str) -> str:
    return "unknown" if value is None else form.format(value)


def _figures(run: Inspection) -> Iterator[tuple[str, str | None, str]]:
    """Accessible name, SVG and caption; no SVG where the run has no such numbers."""
    monitors = sorted(k for k in run.metrics if k.startswith("val_") and k != "val_loss")
    for monitor in monitors:
        name = monitor.removeprefix("val_")
        yield (
            name.capitalize(),
            plots.metric_lines(run.metrics, (monitor, name), name),
            f"{name.capitalize()} on validation images ({monitor}) and, over the epoch and with "
            f"augmentation, on training images ({name}).",
        )
    yield (
        "Loss",
        plots.metric_lines(run.metrics, ("val_loss", "loss"), "loss"),
        "Loss, penalties included.",
    )
    yield (
        "Entropy of the binary weights",
        plots.over_epochs(run.history, lambda i: i.filter_entropy, "bits per weight")
        or plots.layer_bars(run.layers, lambda i: i.filter_entropy, "bits per weight"),
        "Entropy of the signs per filter, averaged: 1 bit is the most that a sign can carry, "
        "0 means that all weights of a filter agree.",
    )
    yield (
        "Sign flips",
        plots.over_epochs(run.history, lambda i: i.flip_rate or None, "share of signs", log=True),
        "Share of the signs that changed during an epoch.",
    )
    yield (
        "Useful gradient",
        plots.over_epochs(run.history, lambda i: i.useful_gradient, "share of inputs", zero=True),
        "Share of the binary layers' inputs that are inside hardtanh and where EDE's derivative is "
        "at least 0.1, on a fixed probe of images.",
    )
    yield (
        "Quantization error",
        plots.over_epochs(run.history, lambda i: i.quantization_error, "relative error")
        or plots.layer_bars(run.layers, lambda i: i.quantization_error, "relative error"),
        "Squared distance between standardized weights and their binary form, relative to the "
        "weights. Gaussian weights with the best scale have 0.363.",
    )
    yield (
        "EDE's derivative",
        plots.ede_curves(_sharpness(run)),
        "EDE's derivative as a function of the input, at the first, a middle and the last epoch.",
    )
    yield (
        "Sharpness",
        plots.metric_lines(run.metrics, ("ede_t",), "t", log=True),
        "EDE's sharpness t at the end of each epoch.",
    )
    yield (
        "Dead filters",
        plots.metric_lines(run.metrics, ("dead_filters",), "filters"),
        "Filters of all layers whose latent weights are all equal.",
    )
    yield (
        "Learning rate",
        plots.metric_lines(run.metrics, ("learning_rate",), "learning rate"),
        "Learning rate at the end of each epoch.",
    )


def _sharpness(run: Inspection) -> list[tuple[int, float]]:
    """(epoch, t) at the first, a middle and the last epoch."""
    known = [(e, t) for e, t in enumerate(run.metrics.get("ede_t", []), start=1) if t is not None]
    chosen = {0, (len(known) - 1) // 2, len(known) - 1} if known else set()
    return [known[i] for i in sorted(chosen)]
