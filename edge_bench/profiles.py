"""Times of operators, with what ``explain`` knows of them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.explain import Explanation, explain
from converters.explain.measure import measure
from converters.graph import read_graph
from converters.runtimes.delegate import AUTO_KERNEL
from converters.untrusted import DEFAULT_POLICY, Policy
from edge_bench.cures import cure_of
from edge_bench.schema import BenchResult, OpRow
from edge_bench.tools import OpTime

RUNS = 20  # samples per operator
# What tools call the operator that stands for a delegate's part of the file.
_PARTITIONS = ("DELEGATE", "TfLiteXNNPackDelegate", "LceDelegate")


def with_explanation(rows: Sequence[OpTime | OpRow], found: Explanation) -> list[OpRow]:
    """The rows of a tool's profile, each with kind and hint of its operator.

    Rows that stand for several operators (a delegate's part, "other operators") have neither.

    Args:
        rows: of the file that was explained.
        found: its explanation.
    """
    known = {op.index: op for op in found.ops}
    is_1bit = found.totals.ops_1bit > 0
    merged = []
    for row in rows:
        op = known.get(row.node) if row.node is not None else None
        if op is not None and row.op != op.op:
            # a partition, or the delegate's name of a chain that begins elsewhere
            op = None if row.op in _PARTITIONS or op.op not in row.fused else op
        merged.append(
            OpRow(
                op=row.op,
                name=row.name or (op.name if op else ""),
                node=row.node,
                mean_ms=max(0.0, row.mean_ms),  # a remainder may be a little below 0
                share=max(0.0, row.share),
                fused=list(row.fused),
                kind=op.kind if op else None,
                hint=(op.why_not_1bit or op.note) if op else None,
                cure=cure_of(op) if op and is_1bit else None,
            )
        )
    return merged


def measured_rows(found: Explanation) -> list[OpRow]:
    """Rows of an explanation that was measured; merged operators are named by what took them."""
    fused: dict[int, list[str]] = {}
    for op in found.ops:
        if op.merged_into is not None:
            fused.setdefault(op.merged_into, []).append(op.op)
    return [
        OpRow(
            op=op.op,
            name=op.name,
            node=op.index,
            mean_ms=op.measured_ms,
            share=op.measured_share or 0.0,
            fused=fused.get(op.index, []),
            kind=op.kind,
            hint=op.why_not_1bit or op.note,
            cure=cure_of(op) if found.totals.ops_1bit else None,
        )
        for op in found.ops
        if op.measured_ms is not None and op.merged_into is None
    ]


@dataclass(frozen=True)
class TimeGroup:
    """Operators of one type with one hint.

    Attributes:
        op: type, with what was merged into it.
        count: how many.
        ms: their sum per run.
        share: of the time of all operators, 0..1.
        kind: what they compute in, None if unknown.
        hint: why they are not 1-bit, or what keeps them from writing bits; None for nothing known.
        cure: what would make them faster, None for nothing known.
    """

    op: str
    count: int
    ms: float
    share: float
    kind: str | None
    hint: str | None
    cure: str | None


def where_time_goes(profile: Sequence[OpRow], shown: int = 6) -> list[TimeGroup]:
    """The groups of operators that take the most time, the longest first.

    Empty where the tool told no operator from another: ``lce_delegate`` times those of the delegate
    only, and sums up the rest.
    """
    if all(row.node is None and row.kind is None for row in profile):
        return []
    groups: dict[tuple[str, str | None, str | None, str | None], list[OpRow]] = {}
    for row in profile:
        # reasons name neighbours by their number, which would keep like operators apart
        hint = re.sub(r"\b([A-Z][A-Za-z0-9_]+) \d+\b", r"\1", row.hint) if row.hint else None
        groups.setdefault((" + ".join([row.op, *row.fused]), row.kind, hint, row.cure), []).append(
            row
        )
    found = [
        TimeGroup(
            op=op,
            count=len(rows),
            ms=sum(row.mean_ms for row in rows),
            share=sum(row.share for row in rows),
            kind=kind,
            hint=hint,
            cure=cure,
        )
        for (op, kind, hint, cure), rows in groups.items()
    ]
    return sorted(found, key=lambda group: -group.ms)[:shown]


def profiled(
    result: BenchResult,
    files: dict[str, Path],
    *,
    kernel: str = AUTO_KERNEL,
    threads: int = 1,
    policy: Policy = DEFAULT_POLICY,
    log: Callable[[str], None] = lambda line: None,
) -> BenchResult:
    """The result with the time of every operator of builds that ran in this process.

    LCE's interpreter has no profiler: its builds stay without.

    Args:
        result: of :func:`edge_bench.local.bench`.
        files: by name of build.
        kernel: kernel set of the delegate.
        threads: of the interpreter.
        policy: what a file may cost and hold.
        log: progress.

    Raises:
        UsageError: the runtime refuses a file.
        CheckFailed: a file crashed its process or hung.
    """
    builds = []
    for build in result.builds:
        if build.engine.startswith("LCE "):
            log(f"{build.name}: LCE's interpreter has no profiler")
            builds.append(build)
            continue
        graph = read_graph(files[build.name])
        found = measure(
            explain(graph, build.name),
            graph,
            runs=RUNS,
            threads=threads,
            kernel=kernel if build.kernel else AUTO_KERNEL,
            policy=policy,
            log=log,
        )
        builds.append(build.model_copy(update={"profile": measured_rows(found)}))
    return result.model_copy(update={"builds": builds})
