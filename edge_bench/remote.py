"""Benchmark files on other machines, through the tools that run there."""

import dataclasses
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from converters.explain import explain
from converters.graph import read_graph
from converters.untrusted import DEFAULT_POLICY, Policy, check_graph, read_untrusted
from edge_bench import conditions, host
from edge_bench.local import split_evenly, unique_names
from edge_bench.profiles import with_explanation
from edge_bench.remote_accuracy import Agreement, Labelled, agreement
from edge_bench.remote_calls import CallKey, Logs, call, joined
from edge_bench.remote_tools import Ready, ToolFiles, check_tool, prepare
from edge_bench.schema import (
    BenchResult,
    Build,
    Call,
    Context,
    CpuState,
    Device,
    Ratio,
)
from edge_bench.statistics import median_ratio_interval, summarize
from edge_bench.targets import Address, Target, connect
from edge_bench.tools import ModelFile, ToolOptions, ToolResult
from irnet_keras.errors import IrnetError, UsageError
from irnet_keras.training.run_folder import git_revision

ROUNDS = 5
ORDER = "every round calls the tool once for every build, in a new random order"
MEMORY = "as the tool reports it, if it does"
TIMED = "the tool's own clock around the run of the model; batch 1"


@dataclass(frozen=True)
class Plan:
    """What is measured everywhere.

    Attributes:
        files: ``.tflite`` files, the first is the reference.
        tool: name, or ``"auto"``.
        tool_files: what the tool needs on the target.
        options: of the tool; ``num_runs`` of a tool that prints every run are spread over the
            rounds, others make as many in each.
        rounds: calls per build.
        start_s: seconds a call may take to start and load, besides what it is told to measure.
        seed: of the order and the bootstrap.
        data: images to compare with this machine's predictions, None for none.
        policy: what a file may cost and hold on this machine.
    """

    files: Sequence[Path]
    tool: str = "auto"
    tool_files: ToolFiles = field(default_factory=ToolFiles)
    options: ToolOptions = field(default_factory=ToolOptions)
    rounds: int = ROUNDS
    start_s: float = 120.0
    seed: int = 0
    data: Labelled | None = None
    policy: Policy = DEFAULT_POLICY


def bench_on(
    addresses: Sequence[Address],
    plan: Plan,
    logs: Logs,
    log: Callable[[str], None] = lambda line: None,
) -> BenchResult:
    """Measure on every target, one after the other.

    A target that fails does not keep the others from being measured; the error comes in the end,
    and what was measured stays in ``logs``.

    Args:
        addresses: different ones.
        plan: what to measure.
        logs: where raw logs go, and earlier ones are taken from.
        log: receives progress lines.

    Raises:
        UsageError: a bad argument or file.
        CheckFailed: a target or tool failed.
    """
    if not plan.files:
        raise UsageError("no files to benchmark")
    if not addresses or len(set(addresses)) != len(addresses):
        raise UsageError("--on: targets must be different ones")
    check_tool(plan.tool)
    graphs = [read_untrusted(path, plan.policy) for path in plan.files]
    for graph in graphs:
        check_graph(graph, plan.policy)
    date = datetime.now(UTC)
    before = host.cpu_state()
    devices: list[Device] = []
    builds: list[Build] = []
    errors: list[IrnetError] = []
    for address in addresses:
        try:
            with connect(address, log=log) as target:
                name = _device_name(target, [device.name for device in devices])
                device, measured = _measure(target, name, plan, logs, log)
        except IrnetError as error:
            if len(addresses) > 1:
                log(f"failed: {error}")
            errors.append(error)
            continue
        devices.append(conditions.with_warnings(device))
        builds += measured
    if errors:
        raise joined(errors)
    context = Context(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu_model=host.cpu_model(),
        cores=host.usable_cores(),
        governor=host.governor(),
        before=before,
        after=host.cpu_state(),
        versions=host.versions(),
        git_revision=git_revision(),
        date=date,
        command=host.command_line(),
        seed=plan.seed,
        rounds=plan.rounds,
        order=ORDER,
        memory_method=MEMORY,
        timed=TIMED,
    )
    return BenchResult(context=context, devices=devices, builds=builds)


def merged(results: Sequence[BenchResult]) -> BenchResult:
    """One result of several, made by one command on different targets; the first's context."""
    return BenchResult(
        context=results[0].context,
        devices=[device for result in results for device in result.devices],
        builds=[build for result in results for build in result.builds],
    )


def _device_name(target: Target, taken: Sequence[str]) -> str:
    """The target's label, with a number if there are several of a kind."""
    target.facts()  # a phone's label is its model
    name, number = target.label, 1
    while name in taken:
        number += 1
        name = f"{target.label}#{number}"
    return name


def _measure(
    target: Target, name: str, plan: Plan, logs: Logs, log: Callable[[str], None]
) -> tuple[Device, list[Build]]:
    """All builds on one target."""
    ready = prepare(target, plan.tool, plan.tool_files)
    titles = unique_names(list(plan.files))
    remotes = [target.push(path) for path in plan.files]
    models = [
        ModelFile(Path(r).stem, p.stat().st_size) for r, p in zip(remotes, plan.files, strict=True)
    ]
    each = plan.options
    per_round = [each.num_runs] * plan.rounds
    if ready.tool.samples_are_runs:
        per_round = split_evenly(each.num_runs, plan.rounds)
    timeout_s = plan.start_s + 2 * each.max_secs
    reused = logs.reused

    def run(i: int, number: int, options: ToolOptions) -> ToolResult:
        key = CallKey(target.address.text, _identity(ready), models[i].sha256, options, number)
        return call(target, ready.tool, key, remotes[i], models[i], logs, timeout_s, log)

    rng = np.random.default_rng(plan.seed)
    before = target.conditions()
    results: list[list[ToolResult]] = [[] for _ in models]
    plain = dataclasses.replace(each, enable_op_profiling=False)
    for number, runs in enumerate(per_round):
        log(f"{name}: round {number + 1} of {len(per_round)}")
        for i in rng.permutation(len(models)):
            results[i].append(run(int(i), number, dataclasses.replace(plain, num_runs=runs)))
    after = target.conditions()
    profiles: list[ToolResult | None] = [None] * len(models)
    if each.enable_op_profiling:
        log(f"{name}: time of every operator")
        profiles = [run(i, -1, each) for i in range(len(models))]
    scores: list[Agreement | None] = [None] * len(models)
    if plan.data is not None:
        log(f"{name}: {len(plan.data.labels)} images through each build")
        scores = [
            agreement(target, path, remote, plan.data, plan.policy)
            for path, remote in zip(plan.files, remotes, strict=True)
        ]
    builds: list[Build] = []
    for i, title in enumerate(titles):
        builds.append(
            _build(title, name, plan, ready, models[i], results[i], profiles[i], scores[i], builds)
        )
    device = describe(target, name, ready.versions, before, after)
    if logs.reused > reused:
        text = f"{logs.reused - reused} of the calls are of an earlier, interrupted run"
        device = device.model_copy(update={"warnings": [text]})
    return device, builds


def _identity(ready: Ready) -> str:
    return f"{ready.info.name} {ready.info.sha256 or ready.versions}"


def _build(
    title: str,
    device: str,
    plan: Plan,
    ready: Ready,
    model: ModelFile,
    results: list[ToolResult],
    profile: ToolResult | None,
    score: Agreement | None,
    earlier: list[Build],
) -> Build:
    """One build's numbers; the first of ``earlier`` is the reference."""
    path = plan.files[len(earlier)]
    runs = ready.tool.samples_are_runs
    samples = [us / 1e3 for r in results for us in (r.samples_us if runs else (r.inference.mean,))]
    summary = summarize(samples)
    ratio = None
    if earlier:
        first = earlier[0]
        low, high = median_ratio_interval(samples, first.samples_ms, seed=plan.seed)
        value = summary.median / first.median_ms
        ratio = Ratio(to=first.name, value=value, low=low, high=high)
    last = results[-1]
    count = sum(r.inference.count for r in results)
    memory = max((r.memory_mb for r in results if r.memory_mb is not None), default=None)
    engine = " + ".join(t for t in (last.runtime or ready.info.name, last.delegate) if t)
    if last.kernel:
        engine += f" ({last.kernel})"
    command = [host.without_places(w) for w in ready.tool.argv(path.name, plan.options)]
    return Build(
        name=title,
        path=path.name,
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        engine=engine,
        threads=max(1, plan.options.num_threads),
        warmup_runs=ready.tool.warmup_runs(plan.options),
        samples_ms=samples,
        median_ms=summary.median,
        mad_ms=summary.mad,
        p90_ms=summary.p90,
        min_ms=min(r.inference.minimum for r in results) / 1e3,
        mean_ms=sum(r.inference.mean * r.inference.count for r in results) / count / 1e3,
        peak_memory_bytes=int(memory * 1e6) if memory is not None and memory >= 0 else None,
        ratio=ratio,
        accuracy=score.accuracy if score else None,
        num_examples=score.num_examples if score else None,
        host_agreement=score.host_agreement if score else None,
        device=device,
        tool=ready.info.model_copy(update={"command": command}),
        sample="run" if runs else "call",
        calls=[_call(r) for r in results],
        kernel=last.kernel,
        profile=with_explanation(profile.profile, explain(read_graph(path), title))
        if profile
        else [],
        warnings=[*conditions.kernel_warnings(last.kernel), *dict.fromkeys(last.warnings)],
    )  # fmt: skip


def _call(result: ToolResult) -> Call:
    stats = result.inference
    warmup = result.warmup
    return Call(
        count=stats.count,
        mean_ms=stats.mean / 1e3,
        min_ms=stats.minimum / 1e3,
        max_ms=stats.maximum / 1e3,
        std_ms=stats.std / 1e3,
        median_ms=None if stats.median is None else stats.median / 1e3,
        init_ms=None if result.init_us is None else result.init_us / 1e3,
        first_ms=None if warmup is None else warmup.first / 1e3,
    )


def describe(
    target: Target, name: str, versions: dict[str, str], before: CpuState, after: CpuState
) -> Device:
    """The target as results have it."""
    facts = target.facts()
    bits = facts.os_bits
    system = facts.system if facts.android is None else f"Android {facts.android}, {facts.system}"
    return Device(
        name=name,
        kind=target.address.kind,
        system=system,
        machine=facts.machine,
        os_bits=bits if bits in (32, 64) else None,
        cpu_model=" ".join(t for t in (facts.product, facts.cpu_model) if t) or "unknown",
        cores=facts.cores or 1,
        cpu_features=[f for f in host.CPU_FEATURES if f in facts.cpu_features],
        memory_bytes=facts.memory_bytes,
        before=before,
        after=after,
        versions=versions,
    )
