"""Benchmark files on this machine."""

import contextlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from converters.runtimes import TFLiteProcess, check_threads, engine_for
from converters.untrusted import DEFAULT_POLICY, Policy
from edge_bench import conditions, host
from edge_bench.schema import MIN_SAMPLES, BenchResult, Build, Ratio
from edge_bench.statistics import median_ratio_interval, summarize
from irnet_keras.errors import UsageError

ORDER = "every round visits every build once, in a new random order"
MEMORY = (
    "peak resident set while the file is read, the interpreter built and the model run once, "
    "minus the resident set before; Python and the runtime's library are already loaded "
    "(Linux VmHWM, one process per build)"
)
LABELS = {"delegate": "delegate", "lce": "LCE"}  # of runtimes, in names of builds
TIMED = "input copied in, model run, outputs copied out; batch 1; measured inside the process"


def bench(
    paths: Sequence[str | os.PathLike[str]],
    *,
    names: Sequence[str] | None = None,
    runtimes: Sequence[str] | None = None,
    kernel: str = "auto",
    threads: int = 1,
    num_runs: int = 60,
    warmup_runs: int = 10,
    rounds: int = 10,
    seed: int = 0,
    policy: Policy = DEFAULT_POLICY,
    log: Callable[[str], None] = lambda line: None,
) -> BenchResult:
    """Time files against each other; the first is the reference of the ratios.

    Every file has its own process, alive for the whole benchmark. After each one's warm-up,
    the samples are taken in ``rounds``, all builds in each, so that slow changes of the
    machine (load, temperature, frequency) meet all builds alike.

    Args:
        paths: ``.tflite`` files; the same one may come several times.
        names: one per file; default: file names without suffix, made unique.
        runtimes: one per file, see :func:`converters.runtimes.engine_for`; default ``"auto"``.
        kernel: kernel set of the delegate.
        threads: per interpreter, 1 to 32.
        num_runs: samples per build, at least 30.
        warmup_runs: runs per build before the first sample; one more follows each change of
            build, since another process has used the caches.
        rounds: at most ``num_runs`` are used.
        seed: of inputs, order and bootstrap.
        policy: what a file may cost and hold.
        log: receives progress lines.

    Raises:
        UsageError: a bad argument or file.
        CheckFailed: a model crashed or hung.
    """
    if not paths:
        raise UsageError("no files to benchmark")
    check_numbers(num_runs, warmup_runs, threads)
    if rounds < 1:
        raise UsageError(f"rounds must be at least 1, got {rounds}")
    files = [Path(path) for path in paths]
    titles = list(names) if names is not None else unique_names(files)
    if len(set(titles)) != len(files):
        raise UsageError(f"{len(files)} files need as many different names, got {titles}")
    engines = _engines(files, list(runtimes or ["auto"] * len(files)), kernel)
    counts = split_evenly(num_runs, min(rounds, num_runs))
    rng = np.random.default_rng(seed)
    date = datetime.now(UTC)
    with contextlib.ExitStack() as stack:
        processes = []
        for name, path, engine in zip(titles, files, engines, strict=True):
            process = stack.enter_context(
                TFLiteProcess(
                    path,
                    threads=threads,
                    engine=engine,
                    kernel=kernel if engine == "delegate" else "auto",
                    seed=seed,
                    policy=policy,
                )
            )
            log(f"{name}: {process.engine}")
            processes.append(process)
        before = host.cpu_state()
        if warmup_runs:
            for process in processes:
                process.time(warmup_runs)
        samples: list[list[float]] = [[] for _ in processes]
        log(f"measuring {num_runs} runs of {len(files)} models in {len(counts)} rounds")
        for count in counts:
            for i in rng.permutation(len(processes)):
                samples[i] += [1e3 * s for s in processes[i].time(count, warmup=1)]
        after = host.cpu_state()
        builds = [
            _build(name, process, values, samples[0], titles[0], warmup_runs, seed)
            for name, process, values in zip(titles, processes, samples, strict=True)
        ]
    context = host.context(
        before,
        after,
        date=date,
        seed=seed,
        rounds=len(counts),
        order=ORDER,
        memory_method=MEMORY,
        timed=TIMED,
    )
    device = conditions.with_warnings(host.local_device(before, after), threads)
    return BenchResult(context=context, devices=[device], builds=builds)


def check_numbers(num_runs: int, warmup_runs: int, threads: int) -> None:
    """Raise :class:`UsageError` for numbers that :func:`bench` does not take."""
    if num_runs < MIN_SAMPLES:
        raise UsageError(f"--num-runs must be at least {MIN_SAMPLES}, got {num_runs}")
    if warmup_runs < 0:
        raise UsageError(f"--warmup-runs must be at least 0, got {warmup_runs}")
    check_threads(threads)


def unique_names(files: Sequence[Path]) -> list[str]:
    """File names without suffix; those that clash get ``#2``, ``#3`` ... appended."""
    names: list[str] = []
    for file in files:
        name, number = file.stem, 1
        while name in names:
            number += 1
            name = f"{file.stem}#{number}"
        names.append(name)
    return names


def every_runtime(
    files: Sequence[Path], runtimes: Sequence[str]
) -> tuple[list[Path], list[str], list[str]]:
    """Each file in each runtime that makes a difference to it.

    Args:
        files: ``.tflite`` files.
        runtimes: what to compare for files with Larq operators; others appear once.

    Returns:
        paths, names and runtimes for :func:`bench`. A name says the runtime where a file
        appears more than once.

    Raises:
        UsageError: an unknown runtime or a bad file.
    """
    rows = []
    for file, name in zip(files, unique_names(files), strict=True):
        chosen: dict[str, str] = {}
        for runtime in runtimes:
            chosen.setdefault(engine_for(file, runtime), runtime)
        for engine, runtime in chosen.items():
            title = f"{name} ({LABELS[engine]})" if len(chosen) > 1 else name
            rows.append((file, title, runtime))
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]


def split_evenly(total: int, parts: int) -> list[int]:
    """``parts`` integers that sum to ``total`` and differ by at most one."""
    return [total // parts + (i < total % parts) for i in range(parts)]


def _engines(files: Sequence[Path], runtimes: Sequence[str], kernel: str) -> list[str]:
    if len(runtimes) != len(files):
        raise UsageError(f"{len(files)} files need as many runtimes, got {len(runtimes)}")
    engines = [engine_for(file, name) for file, name in zip(files, runtimes, strict=True)]
    if kernel != "auto" and "delegate" not in engines:
        raise UsageError(f"--kernel {kernel!r}: none of the files runs in the delegate")
    return engines


def _build(
    name: str,
    process: TFLiteProcess,
    samples: list[float],
    reference: list[float],
    reference_name: str,
    warmup_runs: int,
    seed: int,
) -> Build:
    summary = summarize(samples)
    ratio = None
    if name != reference_name:
        low, high = median_ratio_interval(samples, reference, seed=seed)
        value = summary.median / summarize(reference).median
        ratio = Ratio(to=reference_name, value=value, low=low, high=high)
    return Build(
        name=name,
        path=Path(process.path).name,
        sha256=process.sha256,
        size_bytes=process.size_bytes,
        engine=process.engine,
        threads=process.threads,
        warmup_runs=warmup_runs,
        samples_ms=samples,
        median_ms=summary.median,
        mad_ms=summary.mad,
        p90_ms=summary.p90,
        min_ms=summary.minimum,
        peak_memory_bytes=process.memory(),
        ratio=ratio,
        mean_ms=float(np.mean(samples)),
        kernel=(kernel := conditions.kernel_of(process.engine)),
        warnings=conditions.kernel_warnings(kernel),
    )
