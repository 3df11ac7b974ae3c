"""From what tools and targets said to the entries of a result."""

from dataclasses import dataclass
from pathlib import Path

from converters.explain import explain
from converters.graph import read_graph
from edge_bench import conditions, host
from edge_bench.profiles import with_explanation
from edge_bench.remote_accuracy import Agreement
from edge_bench.remote_tools import Ready
from edge_bench.schema import Build, Call, CpuState, Device, OpRow, Ratio
from edge_bench.statistics import median_ratio_interval, summarize
from edge_bench.targets import Target
from edge_bench.tools import ModelFile, ToolOptions, ToolResult


@dataclass(frozen=True)
class Measured:
    """Everything that was found out about one file on one target.

    Attributes:
        title: of the build.
        path: the file here.
        model: the file that ran.
        results: one per call.
        profile: of the call with operators timed, None for none.
        score: None where no images were run.
    """

    title: str
    path: Path
    model: ModelFile
    results: list[ToolResult]
    profile: ToolResult | None
    score: Agreement | None


def build_of(
    made: Measured,
    device: str,
    ready: Ready,
    options: ToolOptions,
    first: Build | None,
    seed: int,
) -> Build:
    """One build's numbers.

    Args:
        made: what was measured.
        device: name of the target in the result.
        ready: the tool.
        options: as asked for.
        first: the reference build of this target, None for that one itself.
        seed: of the bootstrap.
    """
    results = made.results
    runs = ready.tool.samples_are_runs
    samples = [us / 1e3 for r in results for us in (r.samples_us if runs else (r.inference.mean,))]
    summary = summarize(samples)
    ratio = None
    if first is not None:
        low, high = median_ratio_interval(samples, first.samples_ms, seed=seed)
        value = summary.median / first.median_ms
        ratio = Ratio(to=first.name, value=value, low=low, high=high)
    last = results[-1]
    count = sum(r.inference.count for r in results)
    memory = max((r.memory_mib or 0.0 for r in results), default=0.0)
    command = [host.without_places(w) for w in ready.tool.argv(made.path.name, options)]
    if ready.info.sha256:  # copied, it has that for a name
        command[0] = ready.info.name
    return Build(
        name=made.title,
        path=made.path.name,
        sha256=made.model.sha256,
        size_bytes=made.model.size_bytes,
        engine=engine_of(last, ready.info.name),
        threads=max(1, options.num_threads),
        warmup_runs=min(
            (r.warmup.count for r in results if r.warmup), default=ready.tool.warmup_runs(options)
        ),
        samples_ms=samples,
        median_ms=summary.median,
        mad_ms=summary.mad,
        p90_ms=summary.p90,
        min_ms=min(r.inference.minimum for r in results) / 1e3,
        mean_ms=sum(r.inference.mean * r.inference.count for r in results) / count / 1e3,
        peak_memory_bytes=int(memory * 2**20) if memory > 0 else None,
        ratio=ratio,
        accuracy=made.score.accuracy if made.score else None,
        num_examples=made.score.num_examples if made.score else None,
        host_agreement=made.score.host_agreement if made.score else None,
        device=device,
        tool=ready.info.model_copy(update={"command": command}),
        sample="run" if runs else "call",
        calls=[_call(r) for r in results],
        kernel=last.kernel,
        profile=_profile(made),
        warnings=[
            *conditions.kernel_warnings(last.kernel),
            *dict.fromkeys(host.without_folders(text) for text in last.warnings),
        ],
    )


def engine_of(result: ToolResult, tool: str) -> str:
    """Runtime, delegate and kernels that ran; the tool where it does not tell its runtime."""
    engine = " + ".join(text for text in (result.runtime or tool, result.delegate) if text)
    return f"{engine} ({result.kernel})" if result.kernel else engine


def _profile(made: Measured) -> list[OpRow]:
    if made.profile is None:
        return []
    return with_explanation(made.profile.profile, explain(read_graph(made.path), made.title))


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
    """The target as the result describes it, without warnings."""
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
        cpu_features=host.those_that_matter(facts.cpu_features),
        memory_bytes=facts.memory_bytes,
        before=before,
        after=after,
        versions=versions,
    )
