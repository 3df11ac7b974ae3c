"""What every tool takes and gives."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from irnet_keras.errors import CheckFailed, UsageError


class LogError(CheckFailed):
    """A tool's output is not what its versions known here print."""


@dataclass(frozen=True)
class ToolOptions:
    """Options of one call, with the names and defaults of TensorFlow Lite's ``benchmark_model``.

    Attributes:
        num_threads: of the interpreter; the tools' own default of -1 leaves it to the runtime,
            ours is 1, so that builds compare.
        num_runs: at least so many samples, see also ``min_secs``.
        warmup_runs: runs before the first sample, see also ``warmup_min_secs``; None for the
            tool's own default.
        min_secs: time for at least that long.
        max_secs: start no run after that.
        warmup_min_secs: warm up for at least that long.
        enable_op_profiling: also time every operator.
        use_xnnpack: None leaves it to the tool.
        kernel: kernel set of the delegate.
    """

    num_threads: int = 1
    num_runs: int = 50
    warmup_runs: int | None = None
    min_secs: float = 1.0
    max_secs: float = 150.0
    warmup_min_secs: float = 0.5
    enable_op_profiling: bool = False
    use_xnnpack: bool | None = None
    kernel: str = "auto"

    def __post_init__(self) -> None:
        for name, value, least in (
            ("num_runs", self.num_runs, 1),
            ("warmup_runs", self.warmup_runs, 0),
        ):
            if value is not None and value < least:
                raise UsageError(f"{_flag(name)} must be at least {least}, got {value}")
        for name in ("min_secs", "max_secs", "warmup_min_secs"):
            if not 0 <= getattr(self, name) <= 3600:
                raise UsageError(f"{_flag(name)} must be 0 to 3600, got {getattr(self, name):g}")
        if self.max_secs < self.min_secs or not self.max_secs:
            raise UsageError(
                f"--max-secs must be above 0 and not below --min-secs {self.min_secs:g}, "
                f"got {self.max_secs:g}"
            )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


@dataclass(frozen=True)
class Stats:
    """One ``count=`` line, in microseconds; None where a version does not print a value.

    Attributes:
        count: runs.
        first: the first of them.
        last: ``curr`` in the log.
        minimum: the fastest.
        maximum: the slowest.
        mean: ``avg`` in the log, six digits.
        std: standard deviation.
        median: since TensorFlow 2.18; so the next two.
        p5: 5th percentile.
        p95: 95th percentile.
    """

    count: int
    first: float
    last: float
    minimum: float
    maximum: float
    mean: float
    std: float
    median: float | None = None
    p5: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class OpTime:
    """Time of one operator, or of one that a delegate reports, per run.

    Attributes:
        op: its type, e.g. ``"CONV_2D"``.
        name: of its first output as printed, empty if unknown.
        node: position in the file, None if unknown.
        mean_ms: mean over runs of all its calls in a run.
        share: of the sum, 0..1.
        fused: types of operators merged into it.
    """

    op: str
    name: str
    node: int | None
    mean_ms: float
    share: float
    fused: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolResult:
    """What one call measured.

    Attributes:
        inference: the timed runs.
        warmup: the runs before; None where the tool does not say.
        init_us: loading and planning; None where the tool does not say.
        samples_us: every timed run in order; empty where the tool prints statistics only.
        profile: operators in execution order; empty without profiling.
        memory_mib: memory the tool reports at the end of the run; it writes MB and means 2**20.
        runtime: name and version of the runtime, None where the tool does not say.
        delegate: what the tool says of an explicit delegate.
        kernel: kernel set that ran, None where the tool does not say.
        model_sha256: of the file that was run, where the tool says.
        warnings: lines the tool marked as warning or error.
    """

    inference: Stats
    warmup: Stats | None = None
    init_us: float | None = None
    samples_us: tuple[float, ...] = ()
    profile: tuple[OpTime, ...] = ()
    memory_mib: float | None = None
    runtime: str | None = None
    delegate: str | None = None
    kernel: str | None = None
    model_sha256: str | None = None
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ModelFile:
    """The file that a call is meant to run.

    Attributes:
        sha256: hex.
        size_bytes: its size.
    """

    sha256: str
    size_bytes: int


class Tool(Protocol):
    """A program that times a model."""

    @property
    def name(self) -> str:
        """One of ``TOOLS``."""
        ...

    @property
    def samples_are_runs(self) -> bool:
        """Whether it prints every run, or statistics of a call only."""
        ...

    def warmup_runs(self, options: ToolOptions) -> int:
        """Those asked for, else the tool's own default."""
        ...

    def argv(self, model: str, options: ToolOptions) -> list[str]:
        """The command for a model by its path on the target.

        Raises:
            UsageError: an option the tool does not have.
        """
        ...

    def parse(self, stdout: str, log: str | Path, model: ModelFile) -> ToolResult:
        """What its output says.

        Args:
            stdout: of a call that ended with status 0.
            log: where that output is kept, for messages.
            model: the file it was to run.

        Raises:
            LogError: a line is missing or not as known, or another file was run; names the log.
        """
        ...
