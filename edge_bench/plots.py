"""Figures of a benchmark as SVG text, in the reader's colours."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

from edge_bench.figures import COLORS, INK, STYLE, new_figure, svg
from edge_bench.schema import Build

_LABEL_LENGTH = 25
_LARGEST_AREA = 900.0  # square points


def accuracy_versus_size(builds: Sequence[Build]) -> str | None:
    """Scatter of top-1 accuracy over file size; None unless a build has an accuracy.

    The bars are the 95 % normal interval of a share, ``1.96 * sqrt(p (1 - p) / n)``.
    """
    scored = [(i, b) for i, b in enumerate(builds) if b.accuracy is not None]
    if not scored:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(3.0)
        sizes = [b.size_bytes / 1000 for _, b in scored]
        labels: dict[tuple[int, float | None], list[str]] = {}
        for _, build in scored:  # one file in two runtimes is one point
            labels.setdefault((build.size_bytes, build.accuracy), []).append(_label(build.name))
        for i, build in scored:
            names = labels.pop((build.size_bytes, build.accuracy), None)
            if names is None:
                continue
            percent, error = accuracy_interval(build)
            axes.errorbar(
                build.size_bytes / 1000, percent, yerr=error, fmt="o", color=_color(i), capsize=3
            )
            right = build.size_bytes / 1000 > (min(sizes) * max(sizes)) ** 0.5
            below = sorted(set(sizes)).index(build.size_bytes / 1000) % 2  # neighbours take turns
            axes.annotate(
                "\n".join(names),
                (build.size_bytes / 1000, percent),
                xytext=(-7 if right else 7, -13 if below else 6),
                textcoords="offset points",
                ha="right" if right else "left",
            )
        _log_axis(axes, sizes)
        axes.margins(y=0.25)
        axes.set_xlabel("file size, kB")
        axes.set_ylabel("top-1 accuracy, %")
        return svg(figure)


def accuracy_latency_size(builds: Sequence[Build]) -> str | None:
    """Top-1 accuracy over median latency, area by file size; None unless two have an accuracy."""
    scored = [(i, b) for i, b in enumerate(builds) if b.accuracy is not None]
    if len(scored) < 2:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(3.4)
        latencies = [b.median_ms for _, b in scored]
        largest = max(b.size_bytes for _, b in scored)
        middle = (min(latencies) * max(latencies)) ** 0.5
        order = sorted(latencies)
        for i, build in scored:
            percent, error = accuracy_interval(build)
            place = (build.median_ms, percent)
            axes.errorbar(*place, yerr=error, fmt="none", color=_color(i), capsize=3)
            area = max(20.0, _LARGEST_AREA * build.size_bytes / largest)
            axes.scatter(*place, s=area, color=_color(i), alpha=0.45)
            right = build.median_ms > middle
            below = order.index(build.median_ms) % 2  # neighbours take turns
            axes.annotate(
                f"{_label(build.name)}\n{build.size_bytes / 1e6:.3g} MB",
                place,
                xytext=(-14 if right else 14, -24 if below else 8),
                textcoords="offset points",
                ha="right" if right else "left",
                fontsize=8,
            )
        _log_axis(axes, latencies)
        axes.margins(y=0.35)
        axes.set_xlabel("median latency of one image, ms (logarithmic)")
        axes.set_ylabel("top-1 accuracy, %")
        return svg(figure)


def latency_bars(builds: Sequence[Build]) -> str:
    """Median latency as bars; whiskers from the 10th to the 90th percentile of the samples."""
    with rc_context(STYLE):
        figure, axes = new_figure(0.9 + 0.42 * len(builds))
        for i, build in enumerate(builds):
            low, high = np.percentile(build.samples_ms, (10, 90))
            center = build.median_ms
            axes.barh(i, center, color=_color(i), height=0.6)
            spread = [[max(0.0, center - low)], [max(0.0, high - center)]]
            axes.errorbar(center, i, xerr=spread, color=INK, capsize=3, lw=1)
            axes.annotate(
                f"{center:.3g}",
                (max(center, high), i),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
            )
        axes.margins(x=0.15)
        axes.set_xlim(left=0)
        _name_axis(axes, builds)
        axes.set_xlabel("latency of one image, ms")
        return svg(figure)


def sample_distributions(builds: Sequence[Build]) -> str:
    """Every sample as a dot, the median as a bar, on a logarithmic axis."""
    rng = np.random.default_rng(0)  # vertical scatter only
    with rc_context(STYLE):
        figure, axes = new_figure(1.0 + 0.5 * len(builds))
        for i, build in enumerate(builds):
            height = i + rng.uniform(-0.28, 0.28, len(build.samples_ms))
            axes.plot([build.median_ms] * 2, [i - 0.4, i + 0.4], color=INK, lw=1.5, zorder=1)
            axes.plot(
                build.samples_ms, height, "o", color=_color(i), alpha=0.6, ms=4, mew=0, zorder=2
            )
        _log_axis(axes, [s for b in builds for s in b.samples_ms])
        _name_axis(axes, builds)
        axes.set_xlabel("latency of one image, ms (logarithmic)")
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


def _name_axis(axes: Axes, builds: Sequence[Build]) -> None:
    axes.set_yticks(range(len(builds)), [_label(b.name) for b in builds])
    axes.set_ylim(len(builds) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _log_axis(axes: Axes, values: Sequence[float]) -> None:
    """Logarithmic x axis with round, readable ticks inside the data's range."""
    low, high = min(values) / 1.25, max(values) * 1.25
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        ticks = [t for t in np.outer(decades, steps).ravel() if low <= t <= high]
        if len(ticks) <= 7:
            break
    axes.set_xticks(ticks)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(ScalarFormatter())
