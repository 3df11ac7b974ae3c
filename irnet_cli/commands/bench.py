"""``irnet bench``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_cli.runtime_option import KernelOption, RuntimesOption

if TYPE_CHECKING:
    from edge_bench.schema import BenchResult


def bench(
    files: Annotated[list[Path], typer.Argument(help=".tflite files; the first is the reference.")],
    runtime: RuntimesOption = None,
    kernel: KernelOption = "auto",
    threads: Annotated[int, typer.Option(help="Threads per model, 1 to 32.")] = 1,
    num_runs: Annotated[int, typer.Option(help="Samples per model, at least 30.")] = 60,
    warmup_runs: Annotated[
        int, typer.Option(help="Runs before the first sample, at least 0.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of inputs, order and bootstrap.")] = 0,
    file_limit: FileLimitOption = None,
    allow_op: AllowOpOption = None,
    json_file: JsonOption = None,
) -> None:
    """Time .tflite files against each other on this machine."""
    check_files([("--json", json_file)], [("FILES", file) for file in files])
    chosen = policy(file_limit, allow_op)
    from edge_bench.local import bench as run
    from edge_bench.local import check_numbers, every_runtime

    check_numbers(num_runs, warmup_runs, threads)  # before any file is read
    paths, names, runtimes = every_runtime(files, runtime or ["auto"])
    result = run(
        paths,
        names=names,
        runtimes=runtimes,
        kernel=kernel,
        threads=threads,
        num_runs=num_runs,
        warmup_runs=warmup_runs,
        seed=seed,
        policy=chosen,
        log=log,
    )
    if not write_json(json_file, result.model_dump(mode="json")):
        _print(result)


def _print(result: "BenchResult") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    table.add_column("build", overflow="fold")
    for title in ("size\nkB", "median\nms", "MAD\nms", "p90\nms", "peak memory\nkB", "ratio"):
        table.add_column(title, justify="right")
    for build in result.builds:
        memory, ratio = build.peak_memory_bytes, build.ratio
        table.add_row(
            escape(build.name),
            f"{build.size_bytes / 1e3:,.1f}",
            f"{build.median_ms:.3f}",
            f"{build.mad_ms:.3f}",
            f"{build.p90_ms:.3f}",
            "unknown" if memory is None else f"{memory / 1e3:,.0f}",
            "1" if ratio is None else f"{ratio.value:.2f} \\[{ratio.low:.2f}, {ratio.high:.2f}]",
        )
    Console().print(table)
    for build in result.builds:
        print(f"{build.name}: {build.engine}")
    first = result.builds[0]
    print(
        f"{len(first.samples_ms)} samples each, threads: {first.threads}; ratio: median over that "
        f"of {first.name}, with its 95 % interval; below 1 is faster"
    )
