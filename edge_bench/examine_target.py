"""Look at another machine and a file there for :mod:`edge_bench.doctor`."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from converters.explain import Explanation, OpReport, explain
from converters.explain.measure import merged_ops
from converters.explain.wiring import Wiring
from converters.graph import Graph
from edge_bench.doctor import Diagnosis, diagnose
from edge_bench.remote_calls import Logs, call, temporary_logs
from edge_bench.remote_result import describe, engine_of
from edge_bench.remote_tools import ToolFiles, prepare
from edge_bench.targets import Address, connect
from edge_bench.tools import ModelFile, OpTime, ToolOptions

_SECONDS = 900.0
UNSEEN = "XNNPACK not reported"  # by the device package's benchmark


def examine_target(
    address: Address,
    graph: Graph | None = None,
    name: str = "",
    *,
    kernel: str = "auto",
    threads: int = 1,
    runs: int = 20,
    log: Callable[[str], None] = lambda line: None,
) -> Diagnosis:
    """A target, and a file on it: every operator of the delegate timed there.

    Args:
        address: of the target; it needs ``lce_delegate`` for a file.
        graph: the file's content, None for the machine alone.
        name: what messages call the file.
        kernel: kernel set of the delegate.
        threads: 1 to 32.
        runs: samples.
        log: progress.

    Raises:
        UsageError: a bad argument, or something has to be mended on this side first.
        CheckFailed: the target cannot be reached, or the tool failed there.
    """
    with connect(address, log=log) as target, temporary_logs() as folder:
        target.facts()
        before = target.conditions()
        if graph is None:
            device = describe(target, target.label, {}, before, target.conditions())
            return diagnose(device, threads=threads)
        ready = prepare(target, "lce_delegate", ToolFiles())
        with tempfile.TemporaryDirectory() as copy:
            path = Path(copy) / "model.tflite"
            path.write_bytes(graph.data)
            remote = target.push(path)
        model = ModelFile(Path(remote).stem, len(graph.data))
        options = ToolOptions(
            num_threads=threads, num_runs=runs, kernel=kernel, enable_op_profiling=True
        )
        log(f"timing {runs} runs on {target.label}")
        logs = Logs(folder, resume=False)
        result = call(target, ready, options, 0, remote, model, logs, _SECONDS, log)
        device = describe(target, target.label, ready.versions, before, target.conditions())
    return diagnose(
        device,
        threads=threads,
        explanation=timed(explain(graph, name), graph, result.profile),
        engine=f"{engine_of(result, ready.info.name)}, {UNSEEN}",
        run_ms=(result.inference.median or result.inference.mean) / 1e3,
    )


def timed(found: Explanation, graph: Graph, rows: Sequence[OpTime]) -> Explanation:
    """The explanation with the shares that a tool measured.

    The tool times the delegate's operators one by one and all others as a whole: that remainder
    is divided by the cost model's estimates, and stays marked as estimated.

    Args:
        found: of the file.
        graph: its content.
        rows: of the tool's profile.
    """
    wiring = Wiring(graph)
    known: dict[int, float] = {}
    for row in rows:
        if row.node is None or row.node >= len(found.ops) or found.ops[row.node].op != row.op:
            continue
        known[row.node] = row.share
        for merged in merged_ops(graph, wiring, row.node, list(row.fused), set(known)):
            known[merged] = 0.0
    others = [op for op in found.ops if op.index not in known]
    estimated = sum(op.estimated_share for op in others)
    rest = max(0.0, 1 - sum(known.values()))

    def with_share(op: OpReport) -> OpReport:
        if op.index in known:
            return op.model_copy(update={"measured_share": known[op.index]})
        share = rest * op.estimated_share / estimated if estimated else 0.0
        return op.model_copy(update={"estimated_share": share})

    return found.model_copy(update={"ops": tuple(with_share(op) for op in found.ops)})
