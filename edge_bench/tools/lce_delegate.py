"""``python -m lce_delegate bench``, where only Python is on the target."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
            value = json.loads(stdout)
            result = _result(value)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise LogError(
                f"the output is not the JSON of lce_delegate bench ({what}); raw log: {log}"
            ) from error
        if result.model_sha256 != model.sha256:
            raise LogError(
                f"the tool ran a file of SHA-256 {result.model_sha256}, not {model.sha256}; "
                f"raw log: {log}"
            )
        return result


def _result(value: dict[str, Any]) -> ToolResult:
    samples = [1e3 * float(ms) for ms in value["samples_ms"]]
    if not samples or not all(math.isfinite(s) and s > 0 for s in samples):
        raise ValueError("samples_ms must be numbers above 0")
    if len(samples) != value["runs"]:
        raise ValueError(f"{len(samples)} samples of {value['runs']} runs")
    runtime, delegate = value["runtime"], value["delegate"]
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
        profile=tuple(_op(row) for row in value["profile"] or ()),
        runtime=f"{runtime['name']} {runtime['version']}",
        delegate=f"lce_delegate {delegate}" if value["kernel"] else None,  # else it ran nothing
        kernel=value["kernel"],
        model_sha256=value["sha256"],
    )


def _op(row: dict[str, Any]) -> OpTime:
    return OpTime(
        op=row["op"],
        name="",
        node=row["node"],
        mean_ms=float(row["mean_ms"]),
        share=float(row["share"]),
        fused=tuple(row["fused"]),
    )
