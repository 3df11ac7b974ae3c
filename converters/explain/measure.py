"""Measured times: the delegate's operators in place, all others each as a file of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np

from converters.explain.report import Explanation, OpReport
from converters.explain.wiring import Wiring
from converters.graph import Graph, Op, with_operators
from converters.runtimes.delegate import AUTO_KERNEL
from converters.runtimes.modes import AUTO
from converters.runtimes.watching import opened
from converters.untrusted import DEFAULT_POLICY, Policy
from irnet_keras.errors import UsageError

MIN_RUNS = 5
_WARMUP = 5


def measure(
    explanation: Explanation,
    graph: Graph,
    *,
    runs: int = 50,
    threads: int = 1,
    kernel: str = AUTO_KERNEL,
    policy: Policy = DEFAULT_POLICY,
    log: Callable[[str], None] = lambda line: None,
) -> Explanation:
    """The explanation with ``measured_ms`` and what belongs to it.

    Args:
        explanation: of that file; messages call it by the name there.
        graph: its content.
        runs: samples of each operator and of the whole file, at least ``MIN_RUNS``.
        threads: of the interpreter.
        kernel: kernel set of the delegate.
        policy: what the file may cost and hold.
        log: progress.

    Raises:
        UsageError: too few runs, or the runtime refuses the file.
        CheckFailed: the file crashed its process or hung.
    """
    if runs < MIN_RUNS:
        raise UsageError(f"runs must be at least {MIN_RUNS}, got {runs}")
    wiring = Wiring(graph)
    times: dict[int, dict[str, Any]] = {}
    with opened(
        graph.data,
        name=explanation.file,
        threads=threads,
        engine=AUTO,
        kernel=kernel,
        policy=policy,
    ) as process:
        run_ms = 1e3 * float(np.median(process.time(runs, _WARMUP)))
        for row in process.profile(runs, _WARMUP):
            times[row["node"]] = {"measured_ms": 1e3 * row["seconds"], "measured_how": "in place"}
            for merged in merged_ops(graph, wiring, row["node"], row["fused"], set(times)):
                times[merged] = {
                    "measured_ms": 0.0,
                    "measured_how": "merged",
                    "merged_into": row["node"],
                }
        rest = [op for op in graph.ops if op.index not in times and not op.is_custom]
        for count, op in enumerate(rest):
            if count % 10 == 0:
                log(f"timing operator {count + 1} of {len(rest)} outside of the delegate")
            try:
                seconds = process.time_file(_alone(op, wiring), runs, _WARMUP)
            except UsageError as error:  # refuses to run without its surroundings
                log(f"not measured: {op.name} {op.index} ({error})")
                continue
            times[op.index] = {"measured_ms": 1e3 * seconds, "measured_how": "alone"}
        engine = process.engine
    total = sum(t["measured_ms"] for t in times.values())
    ops = tuple(_with_time(op, times.get(op.index), total) for op in explanation.ops)
    totals = explanation.totals.model_copy(
        update={"measured_sum_ms": total, "measured_run_ms": run_ms}
    )
    return explanation.model_copy(
        update={
            "ops": ops,
            "totals": totals,
            "runtime": engine,
            "threads": threads,
            "runs": runs,
        }
    )


def merged_ops(
    graph: Graph, wiring: Wiring, node: int, names: list[str], taken: set[int]
) -> list[int]:
    """Operators merged into ``node``, which the delegate lists by name in the order they follow."""
    chain = {node}
    found = []
    for name in names:
        written = {i for index in chain for i in graph.ops[index].outputs}
        candidates = [
            op.index
            for op in graph.ops
            if op.name == name
            and op.index not in chain
            and op.index not in taken
            and written & set(op.inputs)
        ]
        if candidates:
            chain.add(candidates[0])
            found.append(candidates[0])
    return found


def _alone(op: Op, wiring: Wiring) -> bytes:
    return with_operators(wiring.graph, [op], wiring.computed(op), op.outputs)


def _with_time(op: OpReport, time: dict[str, Any] | None, total: float) -> OpReport:
    if time is None:
        return op
    share = time["measured_ms"] / total if total else 0.0
    return op.model_copy(update={**time, "measured_share": share})
