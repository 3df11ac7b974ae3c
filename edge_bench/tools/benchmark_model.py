"""TensorFlow Lite's ``benchmark_model``, and LCE's ``lce_benchmark_model`` built from it."""

from dataclasses import dataclass, replace
from pathlib import Path

from edge_bench.tools.log import read_log
from edge_bench.tools.tool import LogError, ModelFile, ToolOptions, ToolResult
from irnet_keras.errors import UsageError

WARMUP_RUNS = 1  # their default
_PRINTED = 5.1e-6  # half of the last of six digits, relative


@dataclass(frozen=True)
class BenchmarkModel:
    """Stock ``benchmark_model``; with our delegate where a library is named.

    Attributes:
        binary: path on the target.
        delegate: path of ``liblce_delegate.so`` on the target, None for none.
    """

    binary: str
    delegate: str | None = None
    name: str = "benchmark_model"
    samples_are_runs: bool = False

    def warmup_runs(self, options: ToolOptions) -> int:
        """As :meth:`Tool.warmup_runs`."""
        return _warmup_runs(options)

    def argv(self, model: str, options: ToolOptions) -> list[str]:
        """As :meth:`Tool.argv`."""
        words = _common(self.binary, model, options)
        if self.delegate is not None:
            words.append(f"--external_delegate_path={self.delegate}")
            if options.kernel != "auto":
                words.append(f"--external_delegate_options=kernel:{options.kernel}")
        elif options.kernel != "auto":
            raise UsageError(
                f"--kernel {options.kernel!r} is for the delegate, which is not in use"
            )
        return words

    def parse(self, stdout: str, log: str | Path, model: ModelFile) -> ToolResult:
        """As :meth:`Tool.parse`."""
        return _parse(stdout, log, model)


@dataclass(frozen=True)
class LceBenchmarkModel:
    """LCE's tool; its kernels are chosen by two flags, both off by default.

    Attributes:
        binary: path on the target.
        use_reference_bconv: the slow kernels.
        use_indirect_bgemm: the indirect ones.
    """

    binary: str
    use_reference_bconv: bool = False
    use_indirect_bgemm: bool = False
    name: str = "lce_benchmark_model"
    samples_are_runs: bool = False

    def warmup_runs(self, options: ToolOptions) -> int:
        """As :meth:`Tool.warmup_runs`."""
        return _warmup_runs(options)

    def argv(self, model: str, options: ToolOptions) -> list[str]:
        """As :meth:`Tool.argv`."""
        if options.kernel != "auto":
            raise UsageError(f"--kernel {options.kernel!r} is for the delegate, not for LCE's tool")
        words = _common(self.binary, model, options)
        if self.use_reference_bconv:
            words.append("--use_reference_bconv=true")
        if self.use_indirect_bgemm:
            words.append("--use_indirect_bgemm=true")
        return words

    @property
    def kernels(self) -> str:
        """Which of LCE's kernels run."""
        if self.use_reference_bconv:
            return "reference"
        return "indirect" if self.use_indirect_bgemm else "default"

    def parse(self, stdout: str, log: str | Path, model: ModelFile) -> ToolResult:
        """As :meth:`Tool.parse`."""
        return replace(_parse(stdout, log, model), kernel=self.kernels)


def _warmup_runs(options: ToolOptions) -> int:
    return WARMUP_RUNS if options.warmup_runs is None else options.warmup_runs


def _parse(stdout: str, log: str | Path, model: ModelFile) -> ToolResult:
    found = read_log(stdout, log)
    # the log tells the size, not the hash
    size = found.size_mb
    if size is not None and abs(size - model.size_bytes / 1e6) > _PRINTED * size:
        raise LogError(
            f"the tool ran a file of {size:g} MB, not of {model.size_bytes / 1e6:g} MB; "
            f"raw log: {log}"
        )
    return found.result


def _common(binary: str, model: str, options: ToolOptions) -> list[str]:
    words = [
        binary,
        f"--graph={model}",
        f"--num_threads={options.num_threads}",
        f"--num_runs={options.num_runs}",
        f"--warmup_runs={_warmup_runs(options)}",
        f"--min_secs={options.min_secs:g}",
        f"--max_secs={options.max_secs:g}",
        f"--warmup_min_secs={options.warmup_min_secs:g}",
    ]
    if options.enable_op_profiling:
        words.append("--enable_op_profiling=true")
    if options.use_xnnpack is not None:
        words.append(f"--use_xnnpack={str(options.use_xnnpack).lower()}")
    return words
