"""A benchmark as one HTML file that needs nothing else."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_bench import plots
from edge_bench.page import render_template
from edge_bench.schema import BenchResult, Build, CpuState
from irnet_keras.files import atomic_write

TEMPLATE = "report.html.j2"


def write_report(
    bench: BenchResult,
    path: str | os.PathLike[str],
    *,
    title: str = "Benchmark",
    notes: Sequence[str] = (),
    verify: dict[str, Any] | None = None,
) -> Path:
    """Write the report; every text from outside is escaped.

    Args:
        bench: the measurements; accuracies in its builds.
        path: the ``.html`` file to (re)place.
        title: heading.
        notes: paragraphs shown above the table.
        verify: what verification found, shown as nested names and values.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written.
    """
    atomic_write(path, render_report(bench, title=title, notes=notes, verify=verify))
    return Path(path)


def render_report(
    bench: BenchResult,
    *,
    title: str = "Benchmark",
    notes: Sequence[str] = (),
    verify: dict[str, Any] | None = None,
) -> str:
    """The report as HTML text; arguments as in :func:`write_report`."""
    return render_template(
        TEMPLATE,
        title=title,
        notes=notes,
        bench=bench,
        rows=[_row(build) for build in bench.builds],
        conditions=list(_conditions(bench)),
        verify=list(_flatten(verify or {})),
        # plots.py escapes the names it draws; the template marks these, and only these, as safe
        accuracy_plot=plots.accuracy_versus_size(bench.builds),
        latency_plot=plots.latency_bars(bench.builds),
        samples_plot=plots.sample_distributions(bench.builds),
    )


def kilobytes(size: int) -> str:
    """Bytes as kB (1,000 bytes) or MB, three digits or more."""
    if size >= 10_000_000:
        return f"{size / 1e6:,.1f} MB"
    return f"{size / 1e3:,.1f} kB"


def _row(build: Build) -> dict[str, str]:
    """The cells of a build, by column title; the first is the row's heading."""
    ratio = "reference"
    if build.ratio is not None:
        r = build.ratio
        interval = _unbroken(f"({r.low:.2f} to {r.high:.2f})")
        ratio = f"{r.value:.2f} {interval}"
    accuracy = "not measured"
    if build.accuracy is not None:
        percent, error = plots.accuracy_interval(build)
        examples = _unbroken(f"(n = {build.num_examples:,})")
        accuracy = f"{percent:.2f} % ± {error:.2f} {examples}"
    memory = build.peak_memory_bytes
    return {
        "Build": build.name,
        "Accuracy": accuracy,
        "Size": kilobytes(build.size_bytes),
        "Median": f"{build.median_ms:.3f} ms",
        "MAD": f"{build.mad_ms:.3f} ms",
        "p90": f"{build.p90_ms:.3f} ms",
        "Min": f"{build.min_ms:.3f} ms",
        "Latency ratio": ratio,
        "Peak memory": "unknown" if memory is None else kilobytes(memory),
        "Runs on": f"{build.engine}, {build.threads} thread{'s' if build.threads > 1 else ''}",
    }


def _unbroken(text: str) -> str:
    """The same on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _conditions(bench: BenchResult) -> Iterator[tuple[str, str]]:
    c = bench.context
    yield "Machine", f"{c.cpu_model}, {c.cores} usable cores, {c.machine}, {c.system}"
    yield "Host", c.host
    yield "Date (UTC)", c.date.strftime("%Y-%m-%d %H:%M:%S")
    yield "Frequency governor", c.governor or "not readable"
    yield "Before", _state(c.before)
    yield "After", _state(c.after)
    yield "Versions", ", ".join(f"{k} {v}" for k, v in c.versions.items())
    yield "Source revision", c.git_revision or "unknown"
    yield "Command", " ".join(c.command)
    yield "Seed", str(c.seed)


def _state(state: CpuState) -> str:
    parts = []
    if state.load_average:
        parts.append("load " + " / ".join(f"{v:.2f}" for v in state.load_average))
    if state.frequency_mhz:
        parts.append("MHz " + " ".join(f"{v:.0f}" for v in state.frequency_mhz))
    if state.temperature_c is not None:
        parts.append(f"{state.temperature_c:.0f} °C")
    return ", ".join(parts) or "not readable"


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested dicts as ``a / b`` names with one-line values; lists of them by their length."""
    for key, item in value.items():
        name = f"{prefix} / {str(key).replace('_', ' ')}" if prefix else str(key)
        if isinstance(item, dict):
            yield from _flatten(item, name)
        elif isinstance(item, list) and any(isinstance(part, dict | list) for part in item):
            yield name, f"{len(item)} entries"
        elif isinstance(item, list):
            yield name, ", ".join(map(str, item)) or "none"
        elif isinstance(item, bool):
            yield name, "yes" if item else "no"
        elif item is None:
            yield name, "none"
        elif isinstance(item, int):
            yield name, f"{item:,}"
        elif isinstance(item, float):
            yield name, f"{item:.6g}"
        else:
            yield name, str(item)
