"""A benchmark as one HTML file that needs nothing else."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_bench import plots
from edge_bench.headline import headline
from edge_bench.op_plots import op_bars
from edge_bench.page import render_template
from edge_bench.profiles import where_time_goes
from edge_bench.schema import BenchResult, Build, CpuState, Device
from edge_bench.tables import check_reference
from irnet_keras.files import atomic_write

TEMPLATE = "report.html.j2"


def write_report(
    bench: BenchResult,
    path: str | os.PathLike[str],
    *,
    title: str = "Benchmark",
    notes: Sequence[str] = (),
    verify: dict[str, Any] | None = None,
    reference: BenchResult | None = None,
) -> Path:
    """Write the report; every text from outside is escaped.

    Args:
        bench: the measurements; accuracies in its builds.
        path: the ``.html`` file to (re)place.
        title: heading.
        notes: paragraphs shown above the table.
        verify: what verification found, shown as nested names and values.
        reference: builds of other networks, e.g. a MobileNet, shown beside those of their device.

    Returns:
        ``path``.

    Raises:
        UsageError: the file cannot be written, or the reference is of other machines.
    """
    page = render_report(bench, title=title, notes=notes, verify=verify, reference=reference)
    atomic_write(path, page)
    return Path(path)


def render_report(
    bench: BenchResult,
    *,
    title: str = "Benchmark",
    notes: Sequence[str] = (),
    verify: dict[str, Any] | None = None,
    reference: BenchResult | None = None,
) -> str:
    """The report as HTML text; arguments as in :func:`write_report`."""
    if reference is not None:
        check_reference(bench, reference)
    sections = [
        _section(bench, device, [] if reference is None else reference.on(device.name))
        for device in bench.devices
        if bench.on(device.name)
    ]
    return render_template(
        TEMPLATE,
        title=title,
        notes=notes,
        builds=[*bench.builds, *(reference.builds if reference else ())],
        sections=sections,
        alone=len(sections) == 1,
        conditions=list(_conditions(bench)),
        commands=list(_commands(bench, reference)),
        method=list(_method(bench)),
        verify=list(_flatten(verify or {})),
    )


def _section(bench: BenchResult, device: Device, references: Sequence[Build]) -> dict[str, Any]:
    """What the template shows of a device."""
    builds = bench.on(device.name)
    shown = [*builds, *references]
    warnings = [*device.warnings]
    warnings += [f"{build.name}: {line}" for build in shown for line in build.warnings]
    return {
        "device": device,
        "headline": headline(bench, device.name),
        "warnings": warnings,
        "rows": [_row(b) for b in builds] + [_row(b, is_reference=True) for b in references],
        "conditions": list(_device_conditions(device)),
        "figures": list(_figures(shown)),
        "times": [(b.name, groups) for b in builds if (groups := where_time_goes(b.profile))],
    }


def _figures(builds: Sequence[Build]) -> Iterator[dict[str, str]]:
    """Title, name for screen readers, picture and caption of every figure that there is."""
    medians = ", ".join(f"{b.name} {b.median_ms:.3g} ms" for b in builds)
    scores = ", ".join(
        f"{b.name} {100 * b.accuracy:.1f} %" for b in builds if b.accuracy is not None
    )
    plot = plots.accuracy_latency_size(builds)
    if plot is not None:
        yield {
            "title": "Accuracy, latency and size",
            "name": f"Accuracy over latency: {scores}; {medians}",
            "plot": plot,
            "caption": "Up and to the left is better; the area is the file's size. Bars: 95 % "
            "interval of the accuracy from the number of images.",
        }
    cut = max(b.p90_ms for b in builds) > plots.axis_end(builds)
    yield {
        "title": "Latency",
        "name": f"Median latency: {medians}",
        "plot": plots.latency_bars(builds),
        "caption": "Medians; whiskers from the 10th to the 90th percentile of the samples"
        + (", cut where the axis ends." if cut else "."),
    }
    yield {
        "title": "Samples",
        "name": "Distribution of the samples of latency",
        "plot": plots.sample_distributions(builds),
        "caption": "Every sample; the bar marks the median.",
    }
    for build in builds:
        if where_time_goes(build.profile):
            top = max(build.profile, key=lambda row: row.mean_ms)
            yield {
                "title": f"Operators of {build.name}",
                "name": f"Time per operator of {build.name}; longest: {top.op}, {top.share:.0%}",
                "plot": op_bars(build.profile),
                "caption": "Time per operator, from runs of their own with profiling.",
            }


def kilobytes(size: int) -> str:
    """Bytes as kB (1,000 bytes), MB or GB, three digits or more."""
    if size >= 10_000_000_000:
        return f"{size / 1e9:,.1f} GB"
    if size >= 10_000_000:
        return f"{size / 1e6:,.1f} MB"
    return f"{size / 1e3:,.1f} kB"


def _row(build: Build, is_reference: bool = False) -> dict[str, str]:
    """The cells of a build, by column title; the first is the row's heading."""
    ratio = "reference"
    if is_reference:
        ratio = "another network"
    elif build.ratio is not None:
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
    yield "Host", c.host
    yield "Date (UTC)", c.date.strftime("%Y-%m-%d %H:%M:%S")
    yield "Source revision", c.git_revision or "unknown"
    yield "Versions", ", ".join(f"{k} {v}" for k, v in c.versions.items())
    yield "Seed", str(c.seed)


def _device_conditions(device: Device) -> Iterator[tuple[str, str]]:
    bits = "" if device.os_bits is None else f", {device.os_bits}-bit programs"
    yield (
        "Processor",
        f"{device.cpu_model}, {device.cores} usable cores, {device.machine}, {device.system}{bits}",
    )
    yield "Instruction sets", ", ".join(device.cpu_features) or "not known"
    if device.memory_bytes is not None:
        yield "Memory", kilobytes(device.memory_bytes)
    yield "Frequency governor", device.before.governor or "not readable"
    yield "Before", _state(device.before)
    yield "After", _state(device.after)
    if device.versions:
        yield "Versions there", ", ".join(f"{k} {v}" for k, v in device.versions.items())


def _method(bench: BenchResult) -> Iterator[str]:
    """How samples were taken: on each device, and in general."""
    devices = [device.name for device in bench.devices if bench.on(device.name)]
    for name in devices:
        first = bench.on(name)[0]
        rounds = len(first.calls) or bench.context.rounds
        text = (
            f"{len(first.samples_ms)} samples per build in {rounds} rounds, after "
            f"{first.warmup_runs} warm-up runs"
        )
        if first.tool.name == "in-process":
            text += (
                " and one before each group of samples; each build runs in a process of its own, "
                "alive for the whole benchmark"
            )
        else:
            text += f" in each call of {first.tool.name}"
        if first.sample == "call":
            text += "; a sample is the mean of one call"
        yield text if len(devices) == 1 else f"On {name}: {text}"
    yield f"Order: {bench.context.order}"
    yield f"A sample covers: {bench.context.timed}"
    yield "MAD: median absolute deviation from the median, not scaled; p90: 90th percentile"
    yield f"Memory: {bench.context.memory_method}"
    yield "The numbers hold for the machines named. Another may order the builds differently"


def _commands(bench: BenchResult, reference: BenchResult | None) -> Iterator[tuple[str, str]]:
    """What was called: the benchmarks, and the tools called for each build."""
    yield "All", " ".join(bench.context.command)
    if reference is not None:
        date = reference.context.date
        yield f"The other network, {date:%Y-%m-%d}", " ".join(reference.context.command)
    for build in bench.builds:
        if build.tool.command:
            yield f"{build.name} on {build.device}", " ".join(build.tool.command)


def _state(state: CpuState) -> str:
    parts = []
    if state.load_average:
        parts.append("load " + " / ".join(f"{v:.2f}" for v in state.load_average))
    if state.frequency_mhz:
        parts.append("MHz " + " ".join(f"{v:.0f}" for v in state.frequency_mhz))
    if state.temperature_c is not None:
        parts.append(f"{state.temperature_c:.0f} °C")
    if state.throttling:
        parts.append(", ".join(state.throttling))
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
