"""``python -m lce_delegate bench``, where only Python is on the target."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, Field, ValidationError, model_validator

from edge_bench.tools.tool import LogError, ModelFile, OpTime, Stats, ToolOptions, ToolResult
from irnet_keras.errors import UsageError

WARMUP_RUNS = 10  # its default


@dataclass(frozen=True)
class LceDelegate:
    """The device package's own benchmark. It prints every sample.

    It counts runs, not seconds: ``min_secs``, ``max_secs`` and ``warmup_min_secs`` do not apply.

    Attributes:
        python: the interpreter on the target, with its arguments.
    """

    python: tuple[str, ...] = ("python3",)
    name: str = "lce_delegate"
    samples_are_runs: bool = True

    def warmup_runs(self, options: ToolOptions) -> int:
        """As :meth:`Tool.warmup_runs`."""
        return WARMUP_RUNS if options.warmup_runs is None else options.warmup_runs

    def argv(self, model: str, options: ToolOptions) -> list[str]:
        """As :meth:`Tool.argv`."""
        if options.use_xnnpack is False:
            raise UsageError("--no-use-xnnpack is not an option of lce_delegate: LiteRT decides")
        threads = str(1 if options.num_threads < 1 else options.num_threads)
        words = [
            *self.python, "-m", "lce_delegate", "bench", model,
            "--runs", str(options.num_runs), "--warmup", str(self.warmup_runs(options)),
            "--threads", threads, "--kernel", options.kernel, "--json", "-",
        ]  # fmt: skip
        return [*words, "--profile"] if options.enable_op_profiling else words

    def parse(self, stdout: str, log: str | Path, model: ModelFile) -> ToolResult:
        """As :meth:`Tool.parse`."""
        try:
            result = _result(_Said.model_validate_json(stdout))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "output"
            raise LogError(
                "the output is not the JSON of lce_delegate bench "
                f"({place}: {first['msg']}); raw log: {log}"
            ) from error
        if result.model_sha256 != model.sha256:
            raise LogError(
                f"the tool ran a file of SHA-256 {result.model_sha256}, not {model.sha256}; "
                f"raw log: {log}"
            )
        return result


# Texts of the target go to terminals and reports.
_Text = Annotated[str, Field(max_length=1000, pattern=r"^[\x20-\x7e]*$")]


class _Runtime(BaseModel):
    name: _Text
    version: _Text


class _KernelSet(BaseModel):
    name: _Text
    supported: bool


class Info(BaseModel):
    """What ``python -m lce_delegate info`` says, as far as it is read.

    Attributes:
        version: of the package.
        runtime: LiteRT; None if it is missing.
        kernel_sets: those built in.
    """

    version: _Text
    runtime: _Runtime | None
    kernel_sets: list[_KernelSet]


def info_argv(python: str) -> list[str]:
    """The command whose output :func:`read_info` reads."""
    return [python, "-m", "lce_delegate", "info", "--json", "-"]


def read_info(stdout: str) -> Info:
    """Read the output of :func:`info_argv`.

    Raises:
        ValueError: it is something else.
    """
    try:
        return Info.model_validate_json(stdout)
    except ValidationError as error:
        raise ValueError("it does not print what it is") from error


class _Row(BaseModel):
    node: int | None
    op: _Text
    fused: list[_Text]
    mean_ms: float = Field(allow_inf_nan=False)
    share: float = Field(allow_inf_nan=False)


class _Said(BaseModel):
    """What is read of it; the rest is free to grow."""

    sha256: _Text
    runtime: _Runtime
    delegate: _Text
    kernel: _Text | None
    runs: int
    samples_ms: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(min_length=1)
    profile: list[_Row] | None

    @model_validator(mode="after")
    def _all_samples(self) -> Self:
        if len(self.samples_ms) != self.runs:
            raise ValueError(f"{len(self.samples_ms)} samples of {self.runs} runs")
        return self


def _result(said: _Said) -> ToolResult:
    samples = [1e3 * ms for ms in said.samples_ms]
    return ToolResult(
        inference=Stats(
            count=len(samples),
            first=samples[0],
            last=samples[-1],
            minimum=min(samples),
            maximum=max(samples),
            mean=float(np.mean(samples)),
            std=float(np.std(samples)),
            median=float(np.median(samples)),
            p5=float(np.percentile(samples, 5)),
            p95=float(np.percentile(samples, 95)),
        ),
        samples_us=tuple(samples),
        profile=tuple(
            OpTime(row.op, "", row.node, row.mean_ms, row.share, tuple(row.fused))
            for row in said.profile or ()
        ),
        runtime=f"{said.runtime.name} {said.runtime.version}",
        delegate=f"lce_delegate {said.delegate}" if said.kernel else None,  # else it ran nothing
        kernel=said.kernel,
        model_sha256=said.sha256,
    )
