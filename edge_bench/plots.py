"""Figures of a benchmark as SVG text, in the reader's colours."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from edge_bench.figures import COLORS, INK, STYLE, new_figure, svg
from edge_bench.schema import Build

_LABEL_LENGTH = 25
_LARGEST_AREA = 500.0  # square points
_MOST_TICKS = 6


def accuracy_latency_size(builds: Sequence[Build]) -> str | None:
    """Top-1 accuracy over median latency, area by file size; None unless two have an accuracy.

    The bars are the 95 % normal interval of a share, ``1.96 * sqrt(p (1 - p) / n)``.
    """
    scored = [(i, b) for i, b in enumerate(builds) if b.accuracy is not None]
    if len(scored) < 2:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(2.8 + 0.2 * len(scored))
        largest = max(b.size_bytes for _, b in scored)
        handles = []
        for i, build in scored:
            percent, error = accuracy_interval(build)
            place = (build.median_ms, percent)
            axes.errorbar(*place, yerr=error, fmt="none", color=_color(i), capsize=3)
            area = max(20.0, _LARGEST_AREA * build.size_bytes / largest)
            axes.scatter(*place, s=area, color=_color(i), alpha=0.6, clip_on=False)
            handles.append(
                Line2D(
                    [], [], ls="", marker="o", color=_color(i),
                    label=f"{_label(build.name)}, {build.size_bytes / 1e6:.3g} MB",
                )
            )  # fmt: skip
        _log_axis(axes, [b.median_ms for _, b in scored], margin=1.6)
        axes.margins(y=0.2)
        axes.set_xlabel("median latency, ms (logarithmic)")
        axes.set_ylabel("top-1 accuracy, %")
        # names beside the points would cover each other
        figure.legend(handles=handles, loc="outside lower left", frameon=False, fontsize=9)
        return svg(figure)


def latency_bars(builds: Sequence[Build]) -> str:
    """Median latency as bars; whiskers from the 10th to the 90th percentile of the samples.

    The axis ends at ``axis_end``: a whisker of a busy machine would leave no room for the bars.
    """
    end = axis_end(builds)
    with rc_context(STYLE):
        figure, axes = new_figure(0.9 + 0.42 * len(builds))
        for i, build in enumerate(builds):
            low, high = np.percentile(build.samples_ms, (10, 90))
            center = build.median_ms
            axes.barh(i, center, color=_color(i), height=0.6)
            spread = [[max(0.0, center - low)], [max(0.0, high - center)]]
            axes.errorbar(center, i, xerr=spread, color=INK, capsize=3, lw=1)
        axes.set_xlim(0, end)
        _name_axis(axes, builds, [f"{b.median_ms:.3g} ms" for b in builds])
        axes.set_xlabel("latency, ms")
        return svg(figure)


def axis_end(builds: Sequence[Build]) -> float:
    """Of the latency: the highest 90th percentile, at most 1.6 times the longest median."""
    longest = max(b.median_ms for b in builds)
    return min(1.05 * max(*(b.p90_ms for b in builds), longest), 1.6 * longest)


def sample_distributions(builds: Sequence[Build]) -> str:
    """Every sample as a dot, the median as a bar, on a logarithmic axis."""
    rng = np.random.default_rng(0)  # vertical scatter only
    with rc_context(STYLE):
        figure, axes = new_figure(1.0 + 0.5 * len(builds))
        for i, build in enumerate(builds):
            height = i + rng.uniform(-0.28, 0.28, len(build.samples_ms))
            axes.plot([build.median_ms] * 2, [i - 0.4, i + 0.4], color=INK, lw=1.5, zorder=1)
            axes.plot(
                build.samples_ms, height, "o", color=_color(i), alpha=0.8, ms=4, mew=0, zorder=2
            )
        _log_axis(axes, [s for b in builds for s in b.samples_ms])
        _name_axis(axes, builds)
        axes.set_xlabel("latency, ms (logarithmic)")
        return svg(figure)


def accuracy_interval(build: Build) -> tuple[float, float]:
    """Accuracy of a scored build and half its 95 % interval, in percent."""
    if build.accuracy is None or build.num_examples is None:
        raise ValueError(f"{build.name} has no accuracy")
    p = build.accuracy
    return 100 * p, 196 * float(np.sqrt(p * (1 - p) / build.num_examples))


def _color(index: int) -> str:
    return COLORS[index % len(COLORS)]


def _label(name: str) -> str:
    return name if len(name) <= _LABEL_LENGTH else name[: _LABEL_LENGTH - 1] + "…"


def _name_axis(axes: Axes, builds: Sequence[Build], values: Sequence[str] = ()) -> None:
    """Names of builds, each with its value below if there are any."""
    labels = [_label(b.name) for b in builds]
    if values:
        labels = [f"{label}\n{value}" for label, value in zip(labels, values, strict=True)]
    axes.set_yticks(range(len(builds)), labels)
    axes.set_ylim(len(builds) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _log_axis(axes: Axes, values: Sequence[float], margin: float = 1.25) -> None:
    """Logarithmic x axis with round, readable ticks inside the data's range times ``margin``."""
    low, high = min(values) / margin, max(values) * margin
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [t for t in np.outer(decades, steps).ravel() if low <= t <= high]
        if len(ticks) <= _MOST_TICKS:
            break
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
