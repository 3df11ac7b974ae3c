"""Limits a benchmark must keep, for automatic checks."""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_bench.schema import BenchResult, Build
from irnet_keras.errors import CheckFailed, UsageError


@dataclass(frozen=True)
class Gates:
    """Limits of every build but the references, or of the only build; None for no limit.

    Attributes:
        min_accuracy: top-1, 0..1.
        max_latency_ms: of the median.
        max_size_mb: of the file, 10^6 bytes.
        min_speedup: median of the reference divided by that of the build.
    """

    min_accuracy: float | None = None
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    min_speedup: float | None = None

    def __post_init__(self) -> None:
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise UsageError(f"--min-accuracy must be from 0 to 1, got {self.min_accuracy:g}")
        for name in ("max_latency_ms", "max_size_mb", "min_speedup"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} must be a number above 0, got {value:g}")


def failures(result: BenchResult, gates: Gates) -> list[str]:
    """One line per limit missed, in the order of builds.

    Raises:
        UsageError: ``min_accuracy`` without accuracies, ``min_speedup`` with one build.
    """
    lines: list[str] = []
    for device in result.devices:
        builds = result.on(device.name)
        place = "" if len(result.devices) == 1 else f" on {device.name}"
        for build in builds[1:] or builds:
            lines += [f"{build.name}{place}: {line}" for line in _missed(build, gates)]
    return lines


def check(result: BenchResult, gates: Gates) -> None:
    """Raise :class:`CheckFailed` with every missed limit, one after the other."""
    lines = failures(result, gates)
    if lines:
        raise CheckFailed("; ".join(lines))


def _missed(build: Build, gates: Gates) -> Iterator[str]:
    if gates.min_accuracy is not None:
        if build.accuracy is None:
            raise UsageError("--min-accuracy needs --data, and the classes of every file")
        if build.accuracy < gates.min_accuracy:
            yield (
                f"accuracy {build.accuracy:.4f} of {build.num_examples:,} images is below "
                f"--min-accuracy {gates.min_accuracy:g}"
            )
    if gates.max_latency_ms is not None and build.median_ms > gates.max_latency_ms:
        yield (
            f"median {build.median_ms:.3f} ms is above --max-latency-ms {gates.max_latency_ms:g}"
        )
    if gates.max_size_mb is not None and build.size_bytes > 1e6 * gates.max_size_mb:
        yield (f"size {build.size_bytes / 1e6:.6g} MB is above --max-size-mb {gates.max_size_mb:g}")
    if gates.min_speedup is not None:
        if build.ratio is None:
            raise UsageError("--min-speedup needs a second file: the first is the reference")
        if 1 / build.ratio.value < gates.min_speedup:
            r = build.ratio
            yield (
                f"{1 / r.value:.3f} times as fast as {r.to} ({1 / r.high:.3f} to {1 / r.low:.3f}) "
                f"is below --min-speedup {gates.min_speedup:g}"
            )
