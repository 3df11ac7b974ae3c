"""Look at this machine and a file for :mod:`edge_bench.doctor`."""

from collections.abc import Callable

import numpy as np

from converters.explain import explain
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
    check_threads(threads)
    if runs < MIN_RUNS:
        raise UsageError(f"--runs must be at least {MIN_RUNS}, got {runs}")
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime must be one of {', '.join(RUNTIMES)}, got {runtime!r}")
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
    return diagnose(
        host.local_device(before, host.cpu_state()),
        threads=threads,
        explanation=found,
        engine=engine,
        run_ms=run_ms,
        delegate_ms=delegate_ms,
    )
