"""The form of a benchmark result on disk, version 1."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from irnet_keras.errors import UsageError

BENCH_SCHEMA: Literal["irnet.bench/1"] = "irnet.bench/1"
MIN_SAMPLES = 30

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CpuState(_Strict):
    """What may change while a benchmark runs; None or empty where it cannot be read.

    Attributes:
        load_average: over 1, 5 and 15 minutes.
        frequency_mhz: current frequency of each core.
        temperature_c: hottest sensor, degrees Celsius.
    """

    load_average: tuple[NotNegative, NotNegative, NotNegative] | None
    frequency_mhz: list[NotNegative]
    temperature_c: float | None


class Context(_Strict):
    """Under which conditions the samples were taken.

    Attributes:
        host: host name.
        system: operating system and release.
        machine: instruction set, e.g. ``"x86_64"``.
        cpu_model: as the system names it.
        cores: logical cores this process may use.
        governor: frequency governor of the first core, None if there is none.
        before: state just before the warm-up.
        after: state just after the last sample.
        versions: Python, runtimes, this package.
        git_revision: of this package's source, None outside git.
        date: start, UTC.
        command: command line.
        seed: of the inputs, the order and the bootstrap.
        rounds: interleaved rounds the samples were spread over.
        order: how the builds took turns.
        memory_method: what ``peak_memory_bytes`` means here.
        timed: what a sample covers.
    """

    host: str
    system: str
    machine: str
    cpu_model: str
    cores: int = Field(ge=1)
    governor: str | None
    before: CpuState
    after: CpuState
    versions: dict[str, str]
    git_revision: str | None
    date: AwareDatetime
    command: list[str]
    seed: int
    rounds: int = Field(ge=1)
    order: str
    memory_method: str
    timed: str


class Ratio(_Strict):
    """Latency of a build divided by that of the reference build; below 1 is faster.

    Attributes:
        to: name of the reference build.
        value: ratio of the medians.
        low: lower end of the 95 % bootstrap interval.
        high: upper end.
    """

    to: str
    value: Positive
    low: Positive
    high: Positive


class Build(_Strict):
    """One file and its measurements.

    Attributes:
        name: unique within a result.
        path: as given.
        sha256: of the file, hex.
        size_bytes: of the file.
        engine: runtime and kernels that really ran.
        threads: of the interpreter.
        warmup_runs: runs before the first sample, thrown away.
        samples_ms: every sample, in the order taken.
        median_ms: of the samples; so the next three.
        mad_ms: median absolute deviation, not scaled.
        p90_ms: 90th percentile.
        min_ms: fastest sample.
        peak_memory_bytes: resident memory the model added, None if unknown.
        ratio: latency relative to the reference build; None for that build itself.
        accuracy: top-1 in 0..1, None if not measured.
        num_examples: images behind ``accuracy``.
    """

    name: str
    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=1)
    engine: str
    threads: int = Field(ge=1)
    warmup_runs: int = Field(ge=0)
    samples_ms: list[Positive] = Field(min_length=MIN_SAMPLES)
    median_ms: Positive
    mad_ms: NotNegative
    p90_ms: Positive
    min_ms: Positive
    peak_memory_bytes: int | None = Field(ge=0)
    ratio: Ratio | None = None
    accuracy: float | None = Field(default=None, ge=0, le=1)
    num_examples: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _accuracy_needs_examples(self) -> "Build":
        if (self.accuracy is None) != (self.num_examples is None):
            raise ValueError("accuracy and num_examples go together")
        return self


class BenchResult(_Strict):
    """A benchmark: conditions and builds, the reference build first."""

    schema_id: Literal["irnet.bench/1"] = BENCH_SCHEMA
    context: Context
    builds: list[Build] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "BenchResult":
        names = [build.name for build in self.builds]
        if len(set(names)) != len(names):
            raise ValueError(f"build names must be unique, got {', '.join(names)}")
        return self

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
    """Validate a decoded JSON value.

    Args:
        value: what ``json.loads`` returned.
        where: names the source in the error, e.g. the file.

    Raises:
        UsageError: not a benchmark result of this version; one line, first problem.
    """
    try:
        return BenchResult.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "result"
        raise UsageError(
            f"{where}: not an {BENCH_SCHEMA} result: {place}: {first['msg']}"
        ) from error


def json_schema() -> dict[str, Any]:
    """JSON Schema of :class:`BenchResult`."""
    return BenchResult.model_json_schema()
