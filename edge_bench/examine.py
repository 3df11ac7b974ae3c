"""Look at this machine and a file for :mod:`edge_bench.doctor`."""

from collections.abc import Callable

import numpy as np

from converters.explain import Explanation, OpReport, explain
from converters.explain.measure import MIN_RUNS, measure
from converters.graph import Graph
from converters.runtimes import RUNTIMES, check_threads
from converters.runtimes.delegate import AUTO_KERNEL
from converters.runtimes.modes import AUTO
from converters.runtimes.watching import opened
from converters.untrusted import DEFAULT_POLICY, Policy
from edge_bench import host
from edge_bench.doctor import Diagnosis, diagnose
from irnet_keras.errors import UsageError

_WARMUP = 5


def check_options(runtime: str, threads: int, runs: int) -> None:
    """Raise :class:`UsageError` for what no target takes."""
    check_threads(threads)
    if runs < MIN_RUNS:
        raise UsageError(f"--runs must be at least {MIN_RUNS}, got {runs}")
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime must be one of {', '.join(RUNTIMES)}, got {runtime!r}")


def examine_machine(threads: int = 1) -> Diagnosis:
    """This machine alone.

    Raises:
        UsageError: a bad number of threads.
    """
    check_threads(threads)
    state = host.cpu_state()
    return diagnose(host.local_device(state, state), threads=threads)


def examine_model(
    graph: Graph,
    name: str,
    *,
    runtime: str = AUTO,
    kernel: str = AUTO_KERNEL,
    threads: int = 1,
    runs: int = 20,
    policy: Policy = DEFAULT_POLICY,
    log: Callable[[str], None] = lambda line: None,
) -> Diagnosis:
    """A file on this machine: explained, every operator timed, the machine watched meanwhile.

    Args:
        graph: the file's content.
        name: what messages call it.
        runtime: ``"auto"``, ``"delegate"`` or ``"lce"``; LCE has no profiler, so operators are
            timed in the delegate in any case.
        kernel: kernel set of the delegate.
        threads: 1 to 32.
        runs: samples of each operator.
        policy: what the file may cost and hold.
        log: progress.

    Raises:
        UsageError: a bad argument, or the runtime refuses the file.
        CheckFailed: the file crashed its process or hung.
    """
    check_options(runtime, threads, runs)
    before = host.cpu_state()
    found = measure(
        explain(graph, name),
        graph,
        runs=runs,
        threads=threads,
        kernel=kernel,
        policy=policy,
        log=log,
    )
    engine, run_ms, delegate_ms = found.runtime, found.totals.measured_run_ms, None
    if runtime == "lce":
        with opened(graph.data, name=name, engine="lce", threads=threads, policy=policy) as process:
            delegate_ms = run_ms
            run_ms = 1e3 * float(np.median(process.time(runs, _WARMUP)))
            engine = process.engine
        found = shares_in_lce(found, delegate_ms, run_ms) if delegate_ms else found
    return diagnose(
        host.local_device(before, host.cpu_state()),
        threads=threads,
        explanation=found,
        engine=engine,
        run_ms=run_ms,
        delegate_ms=delegate_ms,
    )


def shares_in_lce(found: Explanation, delegate_ms: float, run_ms: float) -> Explanation:
    """Shares of a run in LCE's interpreter, from operators that were timed in the delegate.

    Operators that are not 1-bit take as long there: the same kernels run them. What is left of
    the run is the 1-bit operators', divided as in the delegate.

    Args:
        found: with shares of a run in the delegate.
        delegate_ms: that run.
        run_ms: the run in LCE's interpreter.
    """
    ops = [op for op in found.ops if op.measured_share is not None]
    binary = sum(op.measured_share or 0 for op in ops if op.kind == "1-bit")
    others = sum(op.measured_share or 0 for op in ops if op.kind != "1-bit") * delegate_ms / run_ms
    if not binary or others >= 1:  # noise: a run cannot be shorter than its parts
        return found

    def with_share(op: OpReport) -> OpReport:
        if op.measured_share is None:
            return op
        factor = (1 - others) / binary if op.kind == "1-bit" else delegate_ms / run_ms
        return op.model_copy(update={"measured_share": op.measured_share * factor})

    return found.model_copy(update={"ops": tuple(map(with_share, found.ops))})
