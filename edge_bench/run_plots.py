"""Figures of a training run's diagnostics."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from edge_bench.figures import COLORS, INK, STYLE, new_figure, svg
from irnet_keras.training.information import LayerInformation
from irnet_keras.training.inspection import EpochRow

Value = Callable[[LayerInformation], float | None]
_HEIGHT = 2.8


def layer_bars(layers: Sequence[LayerInformation], value: Value, label: str) -> str | None:
    """One bar per layer; None where no layer has the value."""
    known = [(info.layer, v) for info in layers if (v := value(info)) is not None]
    if not known:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(0.8 + 0.22 * len(known))
        names, values = zip(*known, strict=True)
        axes.barh(range(len(values)), values, color=COLORS[0], height=0.65)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        for i, v in enumerate(values):
            axes.annotate(
                f"{v:.3g}", (v, i), xytext=(3, 0), textcoords="offset points", va="center",
                fontsize=8,
            )  # fmt: skip
        axes.set_xlim(0, 1.15 * max(*values, 1e-12) if len(values) > 1 else None)
        axes.set_xlabel(label)
        return svg(figure)


def over_epochs(
    history: Sequence[EpochRow], value: Value, label: str, *, log: bool = False, zero: bool = False
) -> str | None:
    """One line per layer, from blue (first layer) to orange (last); None without two epochs.

    Args:
        history: rows by epoch.
        value: of a layer.
        label: of the vertical axis.
        log: whether that axis is logarithmic.
        zero: whether it begins at 0.
    """
    names = [info.layer for info in history[-1].layers] if history else []
    lines = {name: _line(history, name, value) for name in names}
    lines = {name: line for name, line in lines.items() if len(line) > 1}
    if not lines:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(_HEIGHT)
        for i, (name, line) in enumerate(lines.items()):
            ends = i in (0, len(lines) - 1)
            axes.plot(
                *zip(*line, strict=True),
                color=_between(i / max(1, len(lines) - 1)),
                lw=2 if ends else 0.9,
                label=name if ends else None,
            )
        _epoch_axis(axes, label, log=log, zero=zero)
        axes.legend(frameon=False, fontsize=8)
        return svg(figure)


def metric_lines(
    metrics: dict[str, list[float | None]],
    names: Sequence[str],
    label: str,
    *,
    log: bool = False,
    zero: bool = True,
) -> str | None:
    """Columns of ``metrics.csv`` over epochs; None without two epochs."""
    lines = {
        name: [(e, v) for e, v in enumerate(metrics.get(name, []), start=1) if v is not None]
        for name in names
    }
    lines = {name: line for name, line in lines.items() if len(line) > 1}
    if not lines:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(_HEIGHT)
        for i, (name, line) in enumerate(lines.items()):
            dash = "-" if i == 0 else "--"  # told apart without colour, too
            axes.plot(*zip(*line, strict=True), dash, color=COLORS[i], label=name)
        _epoch_axis(axes, label, log=log, zero=zero)
        if len(lines) > 1:
            axes.legend(frameon=False, fontsize=8)
        return svg(figure)


def ede_curves(sharpness: Sequence[tuple[int, float]]) -> str | None:
    """EDE's derivative ``max(1, t) * (1 - tanh(t * x)**2)`` at some epochs.

    Args:
        sharpness: (epoch, t) of the curves; none gives None.
    """
    if not sharpness:
        return None
    with rc_context(STYLE):
        figure, axes = new_figure(_HEIGHT + 0.5)
        x = np.linspace(-1.5, 1.5, 301)
        for i, (epoch, t) in enumerate(sharpness):
            y = max(1.0, t) * (1 - np.tanh(t * x) ** 2)
            dash = ("-", "--", "-.", ":")[i % 4]
            axes.plot(x, y, dash, color=COLORS[i], label=f"epoch {epoch}: t = {t:.3g}")
        for edge in (-1, 1):
            axes.axvline(edge, color=INK, lw=0.6, ls=":")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("input (hardtanh clips at the dotted lines)")
        axes.set_ylabel("derivative")
        # inside, it would cover the steepest curve
        figure.legend(loc="outside lower center", frameon=False, fontsize=8)
        return svg(figure)


def _line(history: Sequence[EpochRow], name: str, value: Value) -> list[tuple[int, float]]:
    return [
        (row.epoch, v)
        for row in history
        for info in row.layers
        if info.layer == name and (v := value(info)) is not None
    ]


def _epoch_axis(axes: Axes, label: str, *, log: bool, zero: bool) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    if log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        return
    axes.ticklabel_format(axis="y", useOffset=False)
    if zero and axes.dataLim.ymin >= 0:
        axes.set_ylim(0, 1.05 * axes.dataLim.ymax or 1)


def _between(share: float) -> tuple[float, ...]:
    """A colour between the first and the second of the palette."""
    ends = [[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLORS[:2]]
    return tuple(float(np.interp(share, (0, 1), pair)) for pair in zip(*ends, strict=True))
