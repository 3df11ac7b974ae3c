"""``irnet bench``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.bench_targets import (
    DataOption,
    DelegatePathOption,
    IndirectOption,
    LogsOption,
    OnOption,
    OpProfilingOption,
    ReferenceOption,
    RemoteOptions,
    ResumeOption,
    ToolOption,
    ToolPathOption,
    XnnpackOption,
    bench_targets,
)
from irnet_cli.gate_options import (
    MaxLatencyOption,
    MaxSizeOption,
    MinAccuracyOption,
    MinSpeedupOption,
    gates,
)
from irnet_cli.output import JsonOption, check_files, log, plain, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_cli.runtime_option import KernelOption, RuntimesOption

if TYPE_CHECKING:
    from edge_bench.schema import BenchResult, Build


def bench(
    files: Annotated[list[Path], typer.Argument(help=".tflite files; the first is the reference.")],
    on: OnOption = None,
    tool: ToolOption = "auto",
    tool_path: ToolPathOption = None,
    delegate_path: DelegatePathOption = None,
    runtime: RuntimesOption = None,
    kernel: KernelOption = "auto",
    threads: Annotated[
        int, typer.Option("--threads", "--num-threads", help="Threads per model, 1 to 32.")
    ] = 1,
    num_runs: Annotated[
        int | None, typer.Option(help="Samples per model, at least 30; default 60, of tools 50.")
    ] = None,
    warmup_runs: Annotated[
        int | None,
        typer.Option(
            help="Runs before the first sample, at least 0; default 10, of the C++ tools 1."
        ),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Rounds over all models; default 10, of tools 3 or 5.")
    ] = None,
    min_secs: Annotated[
        float | None, typer.Option(help="Of a C++ tool's call: time so long at least; default 1.")
    ] = None,
    max_secs: Annotated[
        float | None, typer.Option(help="Of a C++ tool's call: no run after that; default 150.")
    ] = None,
    use_xnnpack: XnnpackOption = None,
    use_reference_bconv: ReferenceOption = False,
    use_indirect_bgemm: IndirectOption = False,
    enable_op_profiling: OpProfilingOption = False,
    data: DataOption = None,
    data_dir: Annotated[Path | None, typer.Option(help="TFDS data folder.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Images of --data.")] = 100,
    min_accuracy: MinAccuracyOption = None,
    max_latency_ms: MaxLatencyOption = None,
    max_size_mb: MaxSizeOption = None,
    min_speedup: MinSpeedupOption = None,
    logs: LogsOption = None,
    resume: ResumeOption = False,
    seed: Annotated[int, typer.Option(min=0, help="Of inputs, order and bootstrap.")] = 0,
    file_limit: FileLimitOption = None,
    allow_op: AllowOpOption = None,
    json_file: JsonOption = None,
) -> None:
    """Time .tflite files against each other, on this machine, boards and phones."""
    check_files([("--json", json_file)], [("FILES", file) for file in files])
    limits = gates(
        min_accuracy,
        max_latency_ms,
        max_size_mb,
        min_speedup,
        files=len(files),
        scored=data is not None,
    )
    result = bench_targets(
        files,
        on or ["local"],
        RemoteOptions(
            tool=tool,
            tool_path=tool_path,
            delegate_path=delegate_path,
            runtimes=runtime,
            kernel=kernel,
            threads=threads,
            num_runs=num_runs,
            warmup_runs=warmup_runs,
            rounds=rounds,
            min_secs=min_secs,
            max_secs=max_secs,
            use_xnnpack=use_xnnpack,
            use_reference_bconv=use_reference_bconv,
            use_indirect_bgemm=use_indirect_bgemm,
            enable_op_profiling=enable_op_profiling,
            data=data,
            data_dir=data_dir,
            limit=limit,
            logs=logs,
            resume=resume,
            seed=seed,
            policy=policy(file_limit, allow_op),
            json_file=json_file,
        ),
    )
    if not write_json(json_file, result.model_dump(mode="json")):
        for device in result.devices:
            _print(result, device.name)
    from edge_bench.gates import check

    check(result, limits)


def _print(result: "BenchResult", device: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    builds = result.on(device)
    scored = any(build.accuracy is not None for build in builds)
    table = Table(title=None if len(result.devices) == 1 else escape(device))
    table.add_column("build", overflow="fold")
    columns = ["size\nkB", "median\nms", "MAD\nms", "p90\nms", "peak memory\nkB", "ratio"]
    for title in columns + ["accuracy", "as on\nhost"] * scored:
        table.add_column(title, justify="right")
    for build in builds:
        memory, ratio = build.peak_memory_bytes, build.ratio
        row = [
            escape(build.name),
            f"{build.size_bytes / 1e3:,.1f}",
            f"{build.median_ms:.3f}",
            f"{build.mad_ms:.3f}",
            f"{build.p90_ms:.3f}",
            "unknown" if memory is None else f"{memory / 1e3:,.0f}",
            "1" if ratio is None else f"{ratio.value:.2f} \\[{ratio.low:.2f}, {ratio.high:.2f}]",
        ]
        scores = [build.accuracy, build.host_agreement] if scored else []
        table.add_row(*row, *("" if s is None else f"{100 * s:.1f} %" for s in scores))
    # a pipe has no width; a table cut to 80 columns would break the numbers
    console = Console()
    (console if console.is_terminal else Console(width=max(console.width, 120))).print(table)
    for build in builds:
        print(f"{build.name}: {build.engine}")
    first = builds[0]
    what = "samples" if first.sample == "run" else "calls"
    print(
        f"{len(first.samples_ms)} {what} each, threads: {first.threads}; ratio: median over that "
        f"of {first.name}, with its 95 % interval; below 1 is faster"
    )
    for build in builds:
        _print_times(build)
    if scored:
        print(f"accuracy: of the first {first.num_examples} images, on {device}")
    found = next(d for d in result.devices if d.name == device)
    for text in found.warnings:
        log(f"warning: {device}: {text}")
    for build in builds:
        for text in build.warnings:
            log(f"warning: {device}: {build.name}: {text}")


def _print_times(build: "Build") -> None:
    """Which operators take the time, and what is known about them."""
    from edge_bench.profiles import where_time_goes

    groups = where_time_goes(build.profile)
    if build.profile:
        what = "where the time goes" if groups else f"{build.tool.name} told no operator apart"
        print(f"\n{build.name}: {what}")
    for group in groups:
        kind = f", {group.kind}" if group.kind else ""
        hint = f": {group.hint}" if group.hint else ""
        text = f"{group.count} x {group.op}{kind}{hint}"
        print(f"  {group.share:4.0%} {group.ms:9.3f} ms  {plain(text)}")
        if group.cure:
            print(f"{'':21}helps: {group.cure}")
