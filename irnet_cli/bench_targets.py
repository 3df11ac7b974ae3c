"""``irnet bench --on ...``: from options to a result."""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.data_argument import check_data, labelled_images
from irnet_cli.output import log
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write, make_folder, sha256_file

if TYPE_CHECKING:
    from converters.untrusted import Policy
    from edge_bench.remote_accuracy import Labelled
    from edge_bench.schema import BenchResult
    from edge_bench.targets import Address

NUM_RUNS, WARMUP_RUNS = 60, 10  # of this package's own loop
TOOL_RUNS = 50  # the tools' own default
MIN_SECS, MAX_SECS = 1.0, 150.0  # the C++ tools' own

OnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        help="local, ssh://\\[user@]host\\[:port] or adb\\[:SERIAL]; may be given several times.",
    ),
]
ToolOption = Annotated[
    str,
    typer.Option(
        help="auto, lce_benchmark_model, benchmark_model or lce_delegate. auto: on this machine "
        "its own loop, elsewhere the program of --tool-path, else lce_delegate, else what is there."
    ),
]
ToolPathOption = Annotated[
    Path | None, typer.Option(help="The tool's program for the target; it is copied there.")
]
DelegatePathOption = Annotated[
    Path | None,
    typer.Option(help="liblce_delegate.so for the target, for benchmark_model."),
]
XnnpackOption = Annotated[
    bool | None,
    typer.Option("--use-xnnpack/--no-use-xnnpack", help="Of a tool; default: it decides."),
]
ReferenceOption = Annotated[
    bool, typer.Option("--use-reference-bconv", help="Of lce_benchmark_model: its slow kernels.")
]
IndirectOption = Annotated[
    bool, typer.Option("--use-indirect-bgemm", help="Of lce_benchmark_model: indirect kernels.")
]
OpProfilingOption = Annotated[
    bool, typer.Option(help="Also time every operator, in runs of its own.")
]
DataOption = Annotated[
    str | None,
    typer.Option(
        help="cifar10, cifar100 or sample: also run images there and compare with this machine."
    ),
]
LogsOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the tools' raw logs; default: FILE.logs beside --json FILE."),
]
ResumeOption = Annotated[
    bool, typer.Option(help="Go on with an interrupted benchmark: its logs are not measured again.")
]


@dataclass(frozen=True)
class RemoteOptions:
    """The command's options, as typer gives them."""

    tool: str
    tool_path: Path | None
    delegate_path: Path | None
    runtimes: list[str] | None
    kernel: str
    threads: int
    num_runs: int | None
    warmup_runs: int | None
    rounds: int | None
    min_secs: float | None
    max_secs: float | None
    use_xnnpack: bool | None
    use_reference_bconv: bool
    use_indirect_bgemm: bool
    enable_op_profiling: bool
    data: str | None
    data_dir: Path | None
    limit: int
    logs: Path | None
    resume: bool
    seed: int
    policy: "Policy"
    json_file: Path | None


def bench_targets(
    files: Sequence[Path], on: Sequence[str], options: RemoteOptions
) -> "BenchResult":
    """Measure on every target.

    Raises:
        UsageError: a bad argument or file.
        CheckFailed: a model, tool or target failed.
    """
    from edge_bench.local import check_numbers
    from edge_bench.targets import parse_address

    addresses = [parse_address(text) for text in on]
    if len(set(addresses)) != len(addresses):
        raise UsageError(f"--on: targets must be different ones, got {', '.join(on)}")
    check_numbers(
        NUM_RUNS if options.num_runs is None else options.num_runs,
        WARMUP_RUNS if options.warmup_runs is None else options.warmup_runs,
        options.threads,
    )
    if options.data is not None:
        check_data(options.data)
    here = [a for a in addresses if a.kind == "local" and options.tool == "auto"]
    there = [a for a in addresses if a not in here]
    _refuse(options, bool(here), bool(there))
    data = _labelled(options) if options.data is not None else None
    if not there:
        return _local(files, options, data)
    from edge_bench.remote import merged

    with _logs_folder(options) as folder:
        found = [_kept_local(files, options, data, folder)] if here else []
        return merged([*found, _with_tools(files, there, options, data, folder)])


def _refuse(options: RemoteOptions, here: bool, there: bool) -> None:
    """Options that would do nothing."""
    if options.data is None and options.data_dir is not None:
        raise UsageError("--data-dir goes with --data")
    if options.runtimes and there:
        raise UsageError("--runtime goes with --on local --tool auto; tools bring their own")
    if there:
        if options.resume and options.logs is None and not _json_is_file(options):
            raise UsageError("--resume needs --json FILE or --logs DIR, to find the earlier logs")
        return
    for name, given in (
        ("--tool-path", options.tool_path is not None),
        ("--delegate-path", options.delegate_path is not None),
        ("--min-secs", options.min_secs is not None),
        ("--max-secs", options.max_secs is not None),
        ("--use-xnnpack", options.use_xnnpack is not None),
        ("--use-reference-bconv", options.use_reference_bconv),
        ("--use-indirect-bgemm", options.use_indirect_bgemm),
        ("--logs", options.logs is not None),
        ("--resume", options.resume),
    ):
        if given:
            raise UsageError(f"{name} goes with a tool: --on another target, or --tool")


def _json_is_file(options: RemoteOptions) -> bool:
    return options.json_file is not None and str(options.json_file) != "-"


def _labelled(options: RemoteOptions) -> "Labelled":
    from edge_bench.remote_accuracy import Labelled
    from irnet_keras.data.preprocessing import preprocess

    images = labelled_images(options.data or "", options.data_dir, "test", options.limit)
    return Labelled(preprocess(images.images), images.labels)


def _local(files: Sequence[Path], options: RemoteOptions, data: "Labelled | None") -> "BenchResult":
    """In this package's own loop."""
    from edge_bench.local import bench, every_runtime
    from edge_bench.remote_accuracy import local_accuracy

    paths, names, runtimes = every_runtime(files, options.runtimes or ["auto"])
    result = bench(
        paths,
        names=names,
        runtimes=runtimes,
        kernel=options.kernel,
        threads=options.threads,
        num_runs=NUM_RUNS if options.num_runs is None else options.num_runs,
        warmup_runs=WARMUP_RUNS if options.warmup_runs is None else options.warmup_runs,
        rounds=options.rounds or 10,
        seed=options.seed,
        policy=options.policy,
        log=log,
    )
    if options.enable_op_profiling:
        from edge_bench.profiles import profiled

        result = profiled(
            result,
            dict(zip(names, paths, strict=True)),
            kernel=options.kernel,
            threads=options.threads,
            policy=options.policy,
            log=log,
        )
    if data is None:
        return result
    scores = {
        name: local_accuracy(path, data, options.policy, engine)
        for path, name, engine in zip(paths, names, runtimes, strict=True)
    }
    return result.with_accuracy(scores)


def _kept_local(
    files: Sequence[Path], options: RemoteOptions, data: "Labelled | None", folder: Path
) -> "BenchResult":
    """:func:`_local`, kept beside the logs, should another target fail."""
    from pydantic import ValidationError

    from edge_bench.schema import BenchResult

    asked = replace(options, logs=None, resume=False, json_file=None)
    text = f"{[sha256_file(file) for file in files]} {asked}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    path = make_folder(folder) / f"local-{digest[:24]}.json"
    if options.resume and path.is_file():
        with contextlib.suppress(OSError, ValidationError):
            return BenchResult.model_validate_json(path.read_text(encoding="utf-8"))
    result = _local(files, options, data)
    atomic_write(path, result.model_dump_json())
    return result


def _with_tools(
    files: Sequence[Path],
    addresses: "Sequence[Address]",
    options: RemoteOptions,
    data: "Labelled | None",
    folder: Path,
) -> "BenchResult":
    from edge_bench.remote import Plan, bench_on
    from edge_bench.remote_calls import Logs
    from edge_bench.remote_tools import ToolFiles
    from edge_bench.tools import ToolOptions

    plan = Plan(
        files=files,
        tool=options.tool,
        tool_files=ToolFiles(
            options.tool_path,
            options.delegate_path,
            options.use_reference_bconv,
            options.use_indirect_bgemm,
        ),
        options=ToolOptions(
            num_threads=options.threads,
            num_runs=TOOL_RUNS if options.num_runs is None else options.num_runs,
            warmup_runs=options.warmup_runs,
            min_secs=MIN_SECS if options.min_secs is None else options.min_secs,
            max_secs=MAX_SECS if options.max_secs is None else options.max_secs,
            enable_op_profiling=options.enable_op_profiling,
            use_xnnpack=options.use_xnnpack,
            kernel=options.kernel,
        ),
        rounds=options.rounds,
        seed=options.seed,
        data=data,
        policy=options.policy,
    )
    return bench_on(addresses, plan, Logs(folder, resume=options.resume), log)


@contextlib.contextmanager
def _logs_folder(options: RemoteOptions) -> Iterator[Path]:
    """Where logs go; a temporary one goes when all went well."""
    folder = options.logs
    if folder is None and options.json_file is not None and _json_is_file(options):
        folder = options.json_file.with_name(f"{options.json_file.name}.logs")
    if folder is not None:
        yield folder
        return
    from edge_bench.remote_calls import temporary_logs

    with temporary_logs() as folder:
        try:
            yield folder
        except BaseException:
            if any(folder.iterdir()):
                log(f"what was measured is kept: --logs {folder} --resume goes on")
            raise
