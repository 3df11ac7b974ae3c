"""Two benchmark results side by side, with what is more than chance."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_bench.schema import BenchResult, Build
from edge_bench.statistics import median_ratio_interval, permutation_p_value
from irnet_keras.errors import UsageError

LEVEL = 0.05
# Two sessions of one file on one machine differ by more than the samples of each tell: another
# process, another place in memory. docs/explanation/measuring.md has the measurements.
MIN_EFFECT = 0.03


@dataclass(frozen=True)
class Change:
    """A build in the old and the new result.

    Attributes:
        device: where.
        name: of the build.
        old_ms: median; so the next.
        new_ms: in the new result.
        ratio: ``new_ms / old_ms``, below 1 is faster.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        p: that medians differ so much by chance: permutation test, Holm's correction for the
            number of builds.
        verdict: ``"faster"`` or ``"slower"`` by at least the minimum effect, or ``"no difference
            shown"``.
        old_bytes: file size.
        new_bytes: in the new result.
        accuracy_change: new minus old, None unless both were measured.
        accuracy_margin: half of its 95 % interval, for independent images.
        same_file: whether the file is the same, byte for byte.
    """

    device: str
    name: str
    old_ms: float
    new_ms: float
    ratio: float
    low: float
    high: float
    p: float
    verdict: str
    old_bytes: int
    new_bytes: int
    accuracy_change: float | None
    accuracy_margin: float | None
    same_file: bool


@dataclass(frozen=True)
class Comparison:
    """All builds that both results have, and what makes them hard to compare.

    Attributes:
        changes: in the old result's order.
        only_old: ``device / name`` of builds that the new result lacks.
        only_new: the other way round.
        warnings: conditions that differ.
        min_effect: smallest change that is called one, relative.
    """

    changes: tuple[Change, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    warnings: tuple[str, ...]
    min_effect: float

    def as_json(self) -> dict[str, Any]:
        """As ``irnet compare --json`` writes it."""
        return {"schema_id": "irnet.compare/1", **asdict(self)}


def compare(
    old: BenchResult, new: BenchResult, *, min_effect: float = MIN_EFFECT, seed: int = 0
) -> Comparison:
    """Compare builds of the same name on the same device.

    Args:
        old: the reference.
        new: what is judged.
        min_effect: a build is called faster or slower if p is below 0.05 and its interval lies
            beyond this change as a whole; relative, 0 to 1.
        seed: of bootstrap and permutations.

    Raises:
        UsageError: no build is in both, or ``min_effect`` is out of range.
    """
    if not 0 <= min_effect <= 1:
        raise UsageError(f"--min-effect must be from 0 to 1, got {min_effect:g}")
    before = {(b.device, b.name): b for b in old.builds}
    after = {(b.device, b.name): b for b in new.builds}
    common = [key for key in before if key in after]
    if not common:
        raise UsageError(
            f"the results have no build in common: {_names(before)} and {_names(after)}"
        )
    p_values = _holm(
        [permutation_p_value(before[k].samples_ms, after[k].samples_ms, seed=seed) for k in common]
    )
    changes = tuple(
        _change(before[k], after[k], p, min_effect, seed)
        for k, p in zip(common, p_values, strict=True)
    )
    return Comparison(
        changes=changes,
        only_old=tuple(" / ".join(k) for k in before if k not in after),
        only_new=tuple(" / ".join(k) for k in after if k not in before),
        warnings=(*_differences(old, new, common), *_all_alike(changes)),
        min_effect=min_effect,
    )


def _names(builds: dict[tuple[str, str], Build]) -> str:
    return ", ".join(" / ".join(key) for key in builds)


def _change(old: Build, new: Build, p: float, min_effect: float, seed: int) -> Change:
    ratio = new.median_ms / old.median_ms
    low, high = median_ratio_interval(new.samples_ms, old.samples_ms, seed=seed)
    verdict = "no difference shown"
    if p < LEVEL and low > 1 + min_effect:
        verdict = "slower"
    elif p < LEVEL and high < 1 / (1 + min_effect):
        verdict = "faster"
    change = margin = None
    if old.accuracy is not None and new.accuracy is not None:
        change = new.accuracy - old.accuracy
        margin = 1.96 * float(np.sqrt(_variance(old) + _variance(new)))
    return Change(
        device=old.device,
        name=old.name,
        old_ms=old.median_ms,
        new_ms=new.median_ms,
        ratio=ratio,
        low=low,
        high=high,
        p=p,
        verdict=verdict,
        old_bytes=old.size_bytes,
        new_bytes=new.size_bytes,
        accuracy_change=change,
        accuracy_margin=margin,
        same_file=old.sha256 == new.sha256,
    )


def _variance(build: Build) -> float:
    """Of a share of independent images."""
    if build.accuracy is None or build.num_examples is None:
        raise ValueError(f"{build.name} has no accuracy")
    return build.accuracy * (1 - build.accuracy) / build.num_examples


def _holm(p_values: list[float]) -> list[float]:
    """Holm (1979): the k-th smallest of n times n - k + 1, never below a smaller one's."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _differences(old: BenchResult, new: BenchResult, common: list[tuple[str, str]]) -> list[str]:
    found = []
    devices = {d.name: d for d in new.devices}
    for device in old.devices:
        other = devices.get(device.name)
        if other is None:
            continue
        for label, a, b in (
            ("CPU", device.cpu_model, other.cpu_model),
            ("number of cores", device.cores, other.cores),
            ("system", device.system, other.system),
            ("governor", device.before.governor, other.before.governor),
        ):
            if a != b:
                found.append(f"{device.name}: another {label}: {a} and {b}")
        found += [f"{device.name}, {when}: {line}" for when, d in (("old", device), ("new", other))
                  for line in d.warnings]  # fmt: skip
    for key in common:
        one, two = (_find(result, key) for result in (old, new))
        for label, was, now in (
            ("engine", one.engine, two.engine),
            ("tool", one.tool.name, two.tool.name),
            ("number of threads", str(one.threads), str(two.threads)),
        ):
            if was != now:
                found.append(f"{' / '.join(key)}: another {label}: {was} and {now}")
    return found


def _all_alike(changes: Sequence[Change]) -> Iterator[str]:
    """Different files that all changed the same way look like another state of the machine."""
    for device in dict.fromkeys(change.device for change in changes):
        verdicts = [change.verdict for change in changes if change.device == device]
        if len(verdicts) > 1 and set(verdicts) in ({"faster"}, {"slower"}):
            yield (
                f"{device}: every build is {verdicts[0]}: the machine may have changed rather than "
                "the builds"
            )


def _find(result: BenchResult, key: tuple[str, str]) -> Build:
    return next(b for b in result.builds if (b.device, b.name) == key)
