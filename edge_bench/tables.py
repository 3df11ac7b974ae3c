"""A benchmark as CSV, as a Markdown table and as a section of a model card."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

from edge_bench.headline import headline
from edge_bench.schema import BenchResult, Build
from irnet_keras.errors import UsageError

COLUMNS = (
    "device", "name", "size_bytes", "median_ms", "mad_ms", "p90_ms", "min_ms", "mean_ms",
    "samples", "sample", "ratio", "ratio_low", "ratio_high", "ratio_to", "accuracy",
    "num_examples", "host_agreement", "peak_memory_bytes", "threads", "engine", "tool", "kernel",
    "sha256",
)  # fmt: skip


def csv_text(result: BenchResult, reference: BenchResult | None = None) -> str:
    """One row per build, columns ``COLUMNS``; empty cells where something was not measured.

    Builds of a reference have an empty ``ratio``: their latency is relative to no build of
    ``result``. Arguments and errors as in :func:`markdown`.
    """
    others = []
    if reference is not None:
        check_reference(result, reference)
        others = [build.model_copy(update={"ratio": None}) for build in reference.builds]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for build in [*result.builds, *others]:
        writer.writerow({name: _spreadsheet(value) for name, value in _cells(build).items()})
    return text.getvalue()


def _cells(build: Build) -> dict[str, Any]:
    own = {name: getattr(build, name, None) for name in COLUMNS}
    ratio = build.ratio
    return own | {
        "samples": len(build.samples_ms),
        "tool": build.tool.name,
        "ratio": ratio and ratio.value,
        "ratio_low": ratio and ratio.low,
        "ratio_high": ratio and ratio.high,
        "ratio_to": ratio and ratio.to,
    }


def _spreadsheet(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def check_reference(result: BenchResult, reference: BenchResult) -> None:
    """Raise :class:`UsageError` unless every device of ``reference`` is one of ``result``.

    ``"local"`` is another machine on another day: CPU and cores must be the same, too.
    """
    devices = {device.name: device for device in result.devices}
    for other in reference.devices:
        own = devices.get(other.name)
        if own is None:
            raise UsageError(f"--reference ran on {other.name}, the result on {', '.join(devices)}")
        for label, a, b in (
            ("CPU", own.cpu_model, other.cpu_model),
            ("instruction set", own.machine, other.machine),
            ("number of cores", own.cores, other.cores),
        ):
            if a != b:
                raise UsageError(
                    f"--reference ran on another machine than the result: {label} of {own.name} "
                    f"is {b}, not {a}"
                )


def markdown(result: BenchResult, reference: BenchResult | None = None) -> str:
    """A table per device, for READMEs.

    Args:
        result: what was measured.
        reference: builds of other networks on the same devices, as further rows.

    Raises:
        UsageError: the reference is of other machines.
    """
    if reference is not None:
        check_reference(result, reference)
    parts = []
    for device in result.devices:
        rows = [_markdown_row(build) for build in result.on(device.name)]
        if not rows:
            continue
        if reference is not None:
            rows += [_markdown_row(b, "another network") for b in reference.on(device.name)]
        titles = ["Build", "Size", "Median", "p90", "Times as fast", "Accuracy"]
        lines = [_line(titles), "| --- |" + " ---: |" * (len(titles) - 1)]
        lines += [_line(row) for row in rows]
        if line := headline(result, device.name):
            lines += ["", f"{_escaped(line.sentence)}."]
        first = result.on(device.name)[0]
        lines += [
            "",
            f"{_escaped(device.cpu_model)}, {_escaped(device.system)}, threads: {first.threads}, "
            f"{len(first.samples_ms)} {first.sample}s each, "
            f"{result.context.date:%Y-%m-%d}: `{_code(' '.join(result.context.command))}`",
        ]
        lines += [f"\nWarning: {_escaped(w)}." for w in device.warnings]
        if len(result.devices) > 1:
            lines = [f"**{_escaped(device.name)}**", "", *lines]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _markdown_row(build: Build, speed: str = "") -> list[str]:
    if not speed and build.ratio is not None:
        r = build.ratio
        speed = f"{1 / r.value:.2f} ({1 / r.high:.2f} to {1 / r.low:.2f})"
    accuracy = ""
    if build.accuracy is not None:
        accuracy = f"{100 * build.accuracy:.2f} % of {build.num_examples:,}"
    return [
        _escaped(build.name),
        f"{build.size_bytes / 1e3:,.1f} kB",
        f"{build.median_ms:.3f} ms",
        f"{build.p90_ms:.3f} ms",
        speed or "1",
        accuracy,
    ]


def model_card(result: BenchResult, reference: BenchResult | None = None) -> str:
    """A section for a model card: what was measured, where, and what it does not say.

    Arguments and errors as in :func:`markdown`.
    """
    builds = [*result.builds, *(reference.builds if reference else ())]
    several = len(result.devices) > 1
    runs = [f"{b.name}{f' on {b.device}' if several else ''}: {b.engine}" for b in builds]
    hashes = {b.name: b.sha256 for b in builds}
    lines = [
        "## Measured on the edge",
        "",
        markdown(result, reference).rstrip(),
        "",
        "What ran:",
        "",
        *(f"- {_escaped(run)}" for run in runs),
        "",
        "Files (SHA-256):",
        "",
        *(f"- {_escaped(name)}: `{sha256}`" for name, sha256 in hashes.items()),
        "",
        f"Latency is of one image ({_escaped(result.context.timed)}). Another processor may order "
        "the builds differently. Accuracy is top-1; where the table leaves it out, it was not "
        "measured in this run.",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Text without what Markdown, or HTML in it, would read as markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|!&])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'").replace("|", r"\|")
