"""Bars of time per operator."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.patches import Patch

from edge_bench.figures import COLORS, STYLE, new_figure, svg
from edge_bench.schema import OpRow

SHOWN = 14
_KINDS = {"1-bit": COLORS[2], "int8": COLORS[0], "float": COLORS[1]}
_OTHER = COLORS[3]


def op_bars(profile: Sequence[OpRow]) -> str:
    """The longest operators, in the order they run, and the sum of the others.

    Args:
        profile: at least one row.
    """
    longest = sorted(range(len(profile)), key=lambda i: -profile[i].mean_ms)[:SHOWN]
    rows = [profile[i] for i in sorted(longest)]
    rest = [row for i, row in enumerate(profile) if i not in longest]
    labels = [_label(row) for row in rows]
    values = [row.mean_ms for row in rows]
    colors = [_KINDS.get(row.kind or "", _OTHER) for row in rows]
    if rest:
        labels.append(f"sum of {len(rest)} others")
        values.append(sum(row.mean_ms for row in rest))
        colors.append(_OTHER)
    with rc_context(STYLE):
        figure, axes = new_figure(1.2 + 0.24 * len(values))
        axes.barh(range(len(values)), values, color=colors, height=0.65)
        axes.set_yticks(range(len(values)), labels, fontsize=8)
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.18 * max(*values, 1e-9) if len(values) > 1 else None)
        for i, value in enumerate(values):
            axes.annotate(
                f"{value:.3g}", (max(value, 0), i), xytext=(3, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
        axes.set_xlabel("time per run, ms")
        used = {row.kind or "" for row in rows}
        patches = [Patch(color=c, label=kind) for kind, c in _KINDS.items() if kind in used]
        if patches:
            figure.legend(
                handles=patches, loc="outside upper right", ncols=3, frameon=False, fontsize=8
            )
        return svg(figure)


def _label(row: OpRow) -> str:
    name = " + ".join([row.op, *row.fused])
    if len(name) > 26:
        name = name[:25] + "…"
    return name if row.node is None else f"{name} {row.node}"
