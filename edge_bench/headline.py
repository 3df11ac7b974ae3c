"""What a benchmark says in one sentence per device."""

from dataclasses import dataclass

from edge_bench.schema import BenchResult, Build


@dataclass(frozen=True)
class Headline:
    """The smallest build against the reference, on one device.

    Attributes:
        device: name.
        build: name of the smallest.
        reference: name of the first.
        smaller: file size of the reference divided by that of the build.
        faster: median of the reference divided by that of the build.
        faster_low: lower end of its 95 % interval; so the next.
        faster_high: upper end.
        points: accuracy of the build minus that of the reference, in percentage points; None
            unless both were measured.
    """

    device: str
    build: str
    reference: str
    smaller: float
    faster: float
    faster_low: float
    faster_high: float
    points: float | None

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(number, words) of each claim, e.g. ``("17.0 x", "smaller")``."""
        found = [
            _times(self.smaller, "smaller", "larger"),
            _times(self.faster, "faster", "slower"),
        ]
        if self.points is not None:
            found.append((f"{self.points:+.2f}", "points of accuracy"))
        return tuple(found)

    @property
    def sentence(self) -> str:
        """All of it as plain text."""
        claims = ", ".join(f"{number} {words}" for number, words in self.parts)
        return (
            f"{self.build} against {self.reference}: {claims} (speed: 95 % interval "
            f"{self.faster_low:.2f} to {self.faster_high:.2f})"
        )


def headline(result: BenchResult, device: str) -> Headline | None:
    """The headline of a device; None with a single build."""
    builds = result.on(device)
    with_ratio = [(b, b.ratio) for b in builds[1:] if b.ratio is not None]
    if not with_ratio:
        return None
    reference = builds[0]
    build, ratio = min(with_ratio, key=lambda pair: (pair[0].size_bytes, pair[0].median_ms))
    return Headline(
        device=device,
        build=build.name,
        reference=reference.name,
        smaller=reference.size_bytes / build.size_bytes,
        faster=1 / ratio.value,
        faster_low=1 / ratio.high,
        faster_high=1 / ratio.low,
        points=_points(build, reference),
    )


def _points(build: Build, reference: Build) -> float | None:
    if build.accuracy is None or reference.accuracy is None:
        return None
    return 100 * (build.accuracy - reference.accuracy)


def _times(factor: float, more: str, less: str) -> tuple[str, str]:
    return (f"{factor:.1f} x", more) if factor >= 1 else (f"{1 / factor:.1f} x", less)
