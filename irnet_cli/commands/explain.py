"""``irnet explain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.graph_argument import load_graph
from irnet_cli.model_argument import NetworkOption, TrustOption, UntrainedOption
from irnet_cli.output import JsonOption, check_files, log, plain, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_cli.runtime_option import KernelOption
from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from converters.explain import Explanation, OpReport

OVERLAYS = ("kind", "macs", "time", "weights", "activations")
NAME_WIDTH = 40
SHOWN_OPS = 6  # of those that share a reason


def explain(
    file_or_model: Annotated[
        str,
        typer.Argument(
            metavar="FILE_OR_MODEL",
            help="A .tflite file, or what is converted to one first: registry name, weights file "
            "or SavedModel.",
        ),
    ],
    profile: Annotated[
        bool, typer.Option("--profile", help="Also measure every operator on this machine.")
    ] = False,
    runs: Annotated[int, typer.Option(help="Samples with --profile, at least 5.")] = 50,
    threads: Annotated[int, typer.Option(help="Threads with --profile, 1 to 32.")] = 1,
    kernel: KernelOption = "auto",
    node_data: Annotated[
        Path | None,
        typer.Option(help="Write an overlay for Model Explorer (custom node data) to this file."),
    ] = None,
    overlay: Annotated[
        str, typer.Option(help="What it shows: kind, macs, time, weights or activations.")
    ] = "kind",
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    file_limit: FileLimitOption = None,
    allow_op: AllowOpOption = None,
    json_file: JsonOption = None,
) -> None:
    """What each operator of a file is, costs, and why it is not 1-bit."""
    from converters.explain import explain as run
    from converters.explain import node_data as overlay_of
    from converters.explain.measure import MIN_RUNS, measure
    from converters.runtimes import check_threads

    if overlay not in OVERLAYS:
        raise UsageError(f"--overlay must be one of {', '.join(OVERLAYS)}, got {overlay!r}")
    if runs < MIN_RUNS:
        raise UsageError(f"--runs must be at least {MIN_RUNS}, got {runs}")
    check_threads(threads)
    chosen = policy(file_limit, allow_op)
    check_files(
        [("--json", json_file), ("--node-data", node_data)], [("FILE_OR_MODEL", file_or_model)]
    )
    graph, name = load_graph(file_or_model, untrained=untrained, network=network, trust=trust)
    result = run(graph, name)
    if profile:
        result = measure(
            result, graph, runs=runs, threads=threads, kernel=kernel, policy=chosen, log=log
        )
    if node_data is not None:
        write_json(node_data, overlay_of(result, overlay))
    if not write_json(json_file, result.model_dump(mode="json")):
        _print(result)


def _print(result: "Explanation") -> None:
    from rich.console import Console
    from rich.table import Table

    from converters.graph import layer_name

    measured = result.runtime is not None
    columns = ["#", "operator", "kind", "MACs", "weights", "written", "estimated\nus"]
    table = Table(*columns[:3], box=None, pad_edge=False)
    for title in columns[3:]:
        table.add_column(title, justify="right")
    if measured:
        table.add_column("measured\nus", justify="right")
    table.add_column("layer", no_wrap=True)
    for op in result.ops:
        cells = [
            str(op.index),
            _plain(op.op),
            op.kind,
            _count(op.macs, op.mac_share),
            _count(op.weight_bytes, op.weight_share),
            _count(op.activation_bytes, op.activation_share),
            _time(op.estimated_ms, op.estimated_share),
        ]
        if measured:
            cells.append(_measured(op))
        table.add_row(*cells, _plain(layer_name(op.name)[-NAME_WIDTH:]))
    # (a pipe has no width; a table cut to 80 columns would lose the numbers)
    console = Console()
    Console(width=max(console.width, 150)).print(table)
    _print_reasons(result)
    _print_totals(result)


def _print_reasons(result: "Explanation") -> None:
    for title, found in (
        ("why not 1-bit", [(op.why_not_1bit, op) for op in result.ops if op.why_not_1bit]),
        ("1-bit, but", [(op.note, op) for op in result.ops if op.note]),
    ):
        groups: dict[str, list[OpReport]] = {}
        for reason, op in found:
            groups.setdefault(str(reason), []).append(op)
        if groups:
            print(f"\n{title}:")
        for reason, ops in groups.items():
            shown = ", ".join(f"{_plain(op.op)} {op.index}" for op in ops[:SHOWN_OPS])
            more = f" and {len(ops) - SHOWN_OPS} more" if len(ops) > SHOWN_OPS else ""
            print(f"  {shown}{more}: {_plain(reason)}")


def _print_totals(result: "Explanation") -> None:
    t, s = result.totals, result.sizes
    unknown = f", unknown for {t.macs_unknown_ops} operators" if t.macs_unknown_ops else ""
    print(
        f"\noperators: {t.ops_1bit} 1-bit, {t.ops_int8} int8, {t.ops_float} float, "
        f"{t.ops_other} other"
    )
    print(
        f"multiply-accumulates: {t.macs_1bit:,} 1-bit, {t.macs_int8:,} int8, "
        f"{t.macs_float:,} float{unknown}"
    )
    print(
        f"file: {result.file_bytes:,} bytes = weights {s.weights_1bit:,} 1-bit + "
        f"{s.weights_int8:,} int8 + {s.weights_float:,} float, {s.parameters:,} other constants, "
        f"{s.structure:,} structure"
    )
    print(f"activations: {t.activation_bytes:,} bytes, {t.peak_activation_bytes:,} at once")
    print(f"time: {t.estimated_ms:.3f} ms estimated for {result.estimated_for}")
    if t.measured_run_ms is not None and t.measured_sum_ms is not None:
        print(
            f"      {t.measured_run_ms:.3f} ms measured, {t.measured_sum_ms:.3f} ms as the sum of "
            f"operators ({result.runtime}, threads: {result.threads}, medians of {result.runs})"
        )
    print(f"needs: {_NEEDS[result.target.needs]}")
    for reason in result.target.reasons[:SHOWN_OPS]:
        print(f"  {_plain(reason)}")
    if len(result.target.reasons) > SHOWN_OPS:
        print(f"  and {len(result.target.reasons) - SHOWN_OPS} more, see --json")


_NEEDS = {
    "litert": "any TensorFlow Lite runtime; no Larq operators",
    "lce": "LCE's default kernels or the delegate",
    "lce-other": "LCE's indirect or reference kernels, or the delegate",
    "delegate": "the delegate; LCE's kernels do not run it rightly",
    "none": "something this project does not have",
}


def _plain(text: str) -> str:
    """Text from a stranger's file without control characters or markup."""
    from rich.markup import escape

    return escape(plain(text))


def _count(value: int | None, share: float) -> str:
    if value is None:
        return "unknown"
    return f"{value:,} {share:4.0%}" if value else "."


def _time(ms: float | None, share: float) -> str:
    return "unknown" if ms is None else f"{1e3 * ms:,.1f} {share:4.0%}"


def _measured(op: "OpReport") -> str:
    if op.measured_ms is None:
        return "unknown"
    if op.measured_how == "merged":
        return f"in {op.merged_into}"
    return _time(op.measured_ms, op.measured_share or 0) + (
        "*" if op.measured_how == "alone" else ""
    )
