"""Benchmark files on other machines, through the tools that run there."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from converters.untrusted import DEFAULT_POLICY, Policy, check_graph, read_untrusted
from edge_bench import conditions, host
from edge_bench.local import split_evenly, unique_names
from edge_bench.remote_accuracy import Agreement, Labelled, agreement
from edge_bench.remote_calls import Logs, call, joined
from edge_bench.remote_result import Measured, build_of, describe
from edge_bench.remote_tools import Ready, ToolFiles, check_tool, prepare
from edge_bench.schema import (
    MIN_CALLS,
    MIN_SAMPLES,
    BenchResult,
    Build,
    Device,
)
from edge_bench.targets import Address, Target, connect
from edge_bench.tools import ModelFile, ToolOptions, ToolResult
from irnet_keras.errors import IrnetError, UsageError

# A tool that prints a mean per call needs some calls; one that prints every run needs rounds only
# so that a slow change of the machine meets all builds, and each costs a start of the tool.
ROUNDS_OF_CALLS, ROUNDS_OF_RUNS = 5, 3
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
        rounds: calls per build; None: 3 of a tool that prints every run, 5 of others.
        start_s: seconds a call may take to start and load, besides what it is told to measure.
        seed: of the order and the bootstrap.
        data: images to compare with this machine's predictions, None for none.
        policy: what a file may cost and hold on this machine.
    """

    files: Sequence[Path]
    tool: str = "auto"
    tool_files: ToolFiles = field(default_factory=ToolFiles)
    options: ToolOptions = field(default_factory=ToolOptions)
    rounds: int | None = None
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
        devices.append(conditions.with_warnings(device, plan.options.num_threads))
        builds += measured
    if errors:
        raise joined(errors)
    context = host.context(
        before,
        host.cpu_state(),
        date=date,
        seed=plan.seed,
        rounds=max(len(build.calls) for build in builds),
        order=ORDER,
        memory_method=MEMORY,
        timed=TIMED,
    )
    return BenchResult(context=context, devices=devices, builds=builds)


def merged(results: Sequence[BenchResult]) -> BenchResult:
    """One result of several, made by one command on different targets; the first's context.

    What the context says of the way of measuring says where, if the results differ in it.
    """
    said = {}
    for key in ("order", "memory_method", "timed"):
        texts: dict[str, list[str]] = {}
        for result in results:
            names = [device.name for device in result.devices]
            texts.setdefault(getattr(result.context, key), []).extend(names)
        if len(texts) > 1:
            said[key] = "; ".join(f"on {', '.join(names)}: {text}" for text, names in texts.items())
    return BenchResult(
        context=results[0].context.model_copy(update=said),
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


def _runs_per_round(plan: Plan, ready: Ready) -> list[int]:
    """What each call of the tool is asked for.

    Raises:
        UsageError: too few samples would come of it.
    """
    runs = plan.options.num_runs
    if ready.tool.samples_are_runs:
        if runs < MIN_SAMPLES:
            raise UsageError(f"--num-runs must be at least {MIN_SAMPLES}, got {runs}")
        return split_evenly(runs, min(plan.rounds or ROUNDS_OF_RUNS, runs))
    rounds = plan.rounds or ROUNDS_OF_CALLS
    if rounds < MIN_CALLS:
        raise UsageError(
            f"--rounds must be at least {MIN_CALLS} with {ready.tool.name}, of which a sample is "
            f"a whole call, got {rounds}"
        )
    return [runs] * rounds


def _measure(
    target: Target, name: str, plan: Plan, logs: Logs, log: Callable[[str], None]
) -> tuple[Device, list[Build]]:
    """All builds on one target."""
    ready = prepare(target, plan.tool, plan.tool_files)
    per_round = _runs_per_round(plan, ready)
    if plan.data is not None and ready.info.name != "lce_delegate":
        prepare(target, "lce_delegate", ToolFiles())  # fails now rather than after the timing
    titles = unique_names(list(plan.files))
    remotes = [target.push(path) for path in plan.files]
    models = [
        ModelFile(Path(r).stem, p.stat().st_size) for r, p in zip(remotes, plan.files, strict=True)
    ]
    each = plan.options
    timeout_s = plan.start_s + 2 * each.max_secs
    reused = logs.reused

    def run(i: int, number: int, options: ToolOptions) -> ToolResult:
        return call(target, ready, options, number, remotes[i], models[i], logs, timeout_s, log)

    rng = np.random.default_rng(plan.seed)
    before = target.conditions()
    results: list[list[ToolResult]] = [[] for _ in models]
    plain = dataclasses.replace(each, enable_op_profiling=False)
    for number, count in enumerate(per_round):
        log(f"{name}: round {number + 1} of {len(per_round)}")
        for i in rng.permutation(len(models)):
            results[i].append(run(int(i), number, dataclasses.replace(plain, num_runs=count)))
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
    for i, (title, path) in enumerate(zip(titles, plan.files, strict=True)):
        made = Measured(title, path, models[i], results[i], profiles[i], scores[i])
        first = builds[0] if builds else None
        builds.append(build_of(made, name, ready, each, first, plan.seed))
    device = describe(target, name, ready.versions, before, after)
    if logs.reused > reused:
        text = f"{logs.reused - reused} of the calls are of an earlier, interrupted run"
        device = device.model_copy(update={"warnings": [text]})
    return device, builds
