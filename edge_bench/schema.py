"""The form of a benchmark result on disk, version 2; files of version 1 are read as well."""

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from edge_bench.schema_machine import (
    Context,
    Count,
    CpuState,
    Device,
    NotNegative,
    Positive,
    PositiveCount,
    Sha256,
    Share,
    Strict,
)
from irnet_keras.errors import UsageError

__all__ = [
    "BENCH_SCHEMA",
    "MIN_CALLS",
    "MIN_SAMPLES",
    "BenchResult",
    "Build",
    "Call",
    "Context",
    "CpuState",
    "Device",
    "OpRow",
    "Ratio",
    "ToolInfo",
    "json_schema",
    "parse_bench",
]

BENCH_SCHEMA: Literal["irnet.bench/2"] = "irnet.bench/2"
MIN_SAMPLES = 30  # of single runs
MIN_CALLS = 5  # of a tool that prints one mean per call


class Ratio(Strict):
    """Latency of a build divided by that of the reference build; below 1 is faster.

    Attributes:
        to: name of the reference build, the first of the same device.
        value: ratio of the medians.
        low: lower end of the 95 % bootstrap interval.
        high: upper end.
    """

    to: str
    value: Positive
    low: Positive
    high: Positive


class ToolInfo(Strict):
    """The program that timed a build.

    Attributes:
        name: ``"in-process"`` for this package's own loop, else one of ``edge_bench.tools.TOOLS``.
        version: None where it does not say.
        sha256: of the binary, None for Python packages.
        command: of one call, the program and files by their last part.
    """

    name: Literal["in-process", "lce_benchmark_model", "benchmark_model", "lce_delegate"]
    version: str | None = None
    sha256: Sha256 | None = None
    command: list[str] = Field(default_factory=list)


class Call(Strict):
    """What one call of a tool said of its timed runs, milliseconds.

    Attributes:
        count: runs.
        mean_ms: mean.
        min_ms: fastest.
        max_ms: slowest.
        std_ms: standard deviation.
        median_ms: None where the tool prints none.
        init_ms: loading and planning, None where it does not say; so the next.
        first_ms: first warm-up run.
    """

    count: int = Field(ge=1)
    mean_ms: Positive
    min_ms: Positive
    max_ms: Positive
    std_ms: NotNegative
    median_ms: Positive | None = None
    init_ms: Positive | None = None
    first_ms: Positive | None = None


class OpRow(Strict):
    """Time of one operator, from a run of its own with profiling.

    Attributes:
        op: type.
        name: of its first output, empty if unknown.
        node: position in the file, None if unknown.
        mean_ms: per run.
        share: of the sum, 0..1.
        fused: types of operators merged into it.
        kind: ``"1-bit"``, ``"int8"``, ``"float"`` or ``"other"``, None if unknown.
        hint: why it is not 1-bit, or what keeps it from writing bits; None for nothing known.
        cure: what would make it faster, None for nothing known.
    """

    op: str
    name: str
    node: int | None
    mean_ms: NotNegative
    share: NotNegative
    fused: list[str] = Field(default_factory=list)
    kind: str | None = None
    hint: str | None = None
    cure: str | None = None


class Build(Strict):
    """One file on one device and its measurements.

    Attributes:
        name: unique on its device.
        path: file name.
        sha256: of the file, hex.
        size_bytes: of the file.
        engine: runtime and kernels that really ran.
        threads: of the interpreter.
        warmup_runs: runs before the first sample, thrown away.
        samples_ms: every sample, in the order taken.
        median_ms: of the samples; so the next three.
        mad_ms: median absolute deviation, not scaled.
        p90_ms: 90th percentile.
        min_ms: fastest run.
        peak_memory_bytes: resident memory the model added, None if unknown.
        ratio: latency relative to the reference build; None for that build itself.
        accuracy: top-1 in 0..1, None if not measured.
        num_examples: images behind ``accuracy``.
        device: name in ``BenchResult.devices``.
        tool: what timed it.
        sample: ``"run"``: a sample is one run; ``"call"``: the mean of one call of the tool.
        calls: the tool's own statistics, one entry per call; empty in-process.
        mean_ms: over all runs.
        kernel: kernel set of the binary operators, None if there are none or it is unknown.
        profile: operators in execution order; empty if not measured.
        host_agreement: share of images whose top-1 class is the host's, None if not measured.
        warnings: what makes its numbers doubtful or slow.
    """

    name: str
    path: str
    sha256: Sha256
    size_bytes: PositiveCount
    engine: str
    threads: int = Field(ge=1)
    warmup_runs: int = Field(ge=0)
    samples_ms: list[Positive]
    median_ms: Positive
    mad_ms: NotNegative
    p90_ms: Positive
    min_ms: Positive
    peak_memory_bytes: Count | None
    ratio: Ratio | None = None
    accuracy: Share | None = None
    num_examples: PositiveCount | None = None
    device: str = "local"
    tool: ToolInfo = ToolInfo(name="in-process")
    sample: Literal["run", "call"] = "run"
    calls: list[Call] = Field(default_factory=list)
    mean_ms: Positive | None = None
    kernel: str | None = None
    profile: list[OpRow] = Field(default_factory=list)
    host_agreement: Share | None = None
    warnings: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _parts_fit(self) -> "Build":
        if (self.accuracy is None) != (self.num_examples is None):
            raise ValueError("accuracy and num_examples go together")
        least = MIN_SAMPLES if self.sample == "run" else MIN_CALLS
        if len(self.samples_ms) < least:
            raise ValueError(
                f"samples_ms should have at least {least} items, got {len(self.samples_ms)}"
            )
        return self


class BenchResult(Strict):
    """A benchmark: conditions and builds, on each device the reference build first."""

    schema_id: Literal["irnet.bench/2"] = BENCH_SCHEMA
    context: Context
    devices: list[Device] = Field(min_length=1)
    builds: list[Build] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "BenchResult":
        devices = [device.name for device in self.devices]
        if len(set(devices)) != len(devices):
            raise ValueError(f"device names must be unique, got {', '.join(devices)}")
        for build in self.builds:
            if build.device not in devices:
                raise ValueError(f"build {build.name} ran on an unknown device {build.device}")
        for device in devices:
            names = [build.name for build in self.on(device)]
            if len(set(names)) != len(names):
                raise ValueError(f"build names must be unique, got {', '.join(names)}")
        return self

    def on(self, device: str) -> list[Build]:
        """The builds of one device."""
        return [build for build in self.builds if build.device == device]

    def with_accuracy(self, accuracy: dict[str, dict[str, Any]]) -> "BenchResult":
        """A copy whose builds carry ``{name: {"accuracy": 0..1, "num_examples": n}}``.

        Raises:
            UsageError: a name without a build, or a value out of range.
        """
        unknown = accuracy.keys() - {build.name for build in self.builds}
        if unknown:
            raise UsageError(f"accuracy given for unknown builds: {', '.join(sorted(unknown))}")
        value = self.model_dump(mode="json")
        for build in value["builds"]:
            score = accuracy.get(build["name"])
            if score is not None:
                build["accuracy"] = score.get("accuracy")
                build["num_examples"] = score.get("num_examples")
        return parse_bench(value, "accuracy")


def parse_bench(value: Any, where: str) -> BenchResult:
    """Validate a decoded JSON value; one of version 1 is brought to this version.

    Args:
        value: what ``json.loads`` returned.
        where: names the source in the error, e.g. the file.

    Raises:
        UsageError: not a benchmark result of a known version; one line, first problem.
    """
    try:
        return BenchResult.model_validate(_current(value))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "result"
        raise UsageError(
            f"{where}: not an {BENCH_SCHEMA} result: {place}: {first['msg']}"
        ) from error


def _current(value: Any) -> Any:
    """Version 1 knew this machine only, and said so in ``context`` alone."""
    if not isinstance(value, dict) or value.get("schema_id") != "irnet.bench/1":
        return value
    if not isinstance(context := value.get("context"), dict):
        return {**value, "schema_id": BENCH_SCHEMA}
    same = ("system", "machine", "cpu_model", "cores", "before", "after", "versions")
    device = {key: context[key] for key in same if key in context}
    for key in ("before", "after"):
        if isinstance(device.get(key), dict):
            device[key] = {**device[key], "governor": context.get("governor")}
    device |= {"name": "local", "kind": "local", "os_bits": None, "memory_bytes": None}
    return {**value, "schema_id": BENCH_SCHEMA, "devices": [device | {"cpu_features": []}]}


def json_schema() -> dict[str, Any]:
    """JSON Schema of :class:`BenchResult`."""
    return BenchResult.model_json_schema()
