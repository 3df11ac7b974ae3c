"""Why a binary network is slower than it should be: the known causes, as pure functions."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from converters.explain import Explanation, OpReport
from edge_bench.conditions import kernel_of, machine_warnings, state_warnings, too_many_threads
from edge_bench.cures import LEFTOVERS, ONES, STEM, STRICT, is_stem, is_zero_padded, meant_binary
from edge_bench.schema import Device

STEM_SHARE = 0.25  # of the time; above that it is the operator to change first
FLOAT_SHARE = 0.5


@dataclass(frozen=True)
class Finding:
    """One cause.

    Attributes:
        cause: short name.
        evidence: what was seen.
        cure: what to do.
        share: of the time it touches, 0..1; None where it touches all or that is unknown.
        share_is: ``"measured"``, ``"estimated"`` (cost model of ``irnet explain``) or None.
    """

    cause: str
    evidence: str
    cure: str
    share: float | None = None
    share_is: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at and found.

    Attributes:
        device: where.
        model: the file, None if none was given.
        engine: what ran it, None if it was not run.
        run_ms: median of a run, None if it was not run.
        threads: of the interpreter.
        findings: the largest share of time first, those without one at the front.
    """

    device: Device
    model: str | None
    engine: str | None
    run_ms: float | None
    threads: int
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """As ``irnet doctor --json`` writes it."""
        return {
            "schema_id": "irnet.doctor/1",
            "device": self.device.model_dump(mode="json"),
            "model": self.model,
            "engine": self.engine,
            "run_ms": self.run_ms,
            "threads": self.threads,
            "findings": [asdict(finding) for finding in self.findings],
        }


def diagnose(
    device: Device,
    *,
    threads: int = 1,
    explanation: Explanation | None = None,
    engine: str | None = None,
    run_ms: float | None = None,
    delegate_ms: float | None = None,
) -> Diagnosis:
    """Every known cause that applies.

    Args:
        device: the machine, with its state before and after.
        threads: of the interpreter.
        explanation: of the file, with times if it was profiled.
        engine: what ran the file.
        run_ms: median of a run in ``engine``.
        delegate_ms: the same in the delegate, where ``engine`` is LCE's interpreter.
    """
    found = [*_machine(device, threads)]
    if engine is not None:
        found += _kernels(device, engine, explanation, run_ms, delegate_ms)
    if explanation is not None:
        found += _network(explanation)
    found.sort(key=lambda f: -(2.0 if f.share is None else f.share))
    return Diagnosis(
        device=device,
        model=explanation.file if explanation else None,
        engine=engine,
        run_ms=run_ms,
        threads=threads,
        findings=tuple(found),
    )


def _machine(device: Device, threads: int) -> Iterator[Finding]:
    for warning in machine_warnings(device):
        if warning.startswith("32-bit"):
            yield Finding(
                "32-bit operating system",
                f"{device.machine}, {device.os_bits}-bit programs: {warning}",
                "install the 64-bit system of the board (aarch64) and the aarch64 wheel",
            )
        else:
            yield Finding(
                "no NEON",
                f"{device.cpu_model}: {warning}",
                "run on a CPU with NEON, or give the emulator one (qemu -cpu cortex-a72)",
            )
    crowd = too_many_threads(threads, device.cores)
    if crowd is not None:
        yield Finding(
            "more threads than cores",
            crowd,
            f"--threads {device.cores}, or fewer: big cores only are often faster than all",
        )
    for warning in state_warnings(device.before, device.after, device.cores, threads):
        yield Finding("throttling or a busy machine", warning, _cure_of_state(warning))


def _cure_of_state(warning: str) -> str:
    if "governor" in warning:
        return "set it while measuring: sudo cpupower frequency-set -g performance"
    if "under-voltage" in warning:
        return "a power supply with more current and a shorter cable"
    if "busy" in warning:
        return "stop the other work, or measure later"
    return "a heat sink or fan, and a pause before measuring; a phone out of its case, not charging"


def _kernels(
    device: Device,
    engine: str,
    explanation: Explanation | None,
    run_ms: float | None,
    delegate_ms: float | None,
) -> Iterator[Finding]:
    kernel = kernel_of(engine)
    in_lce = engine.startswith("LCE ")
    share = how = None
    if explanation is not None:
        share, how = _share([op for op in explanation.ops if op.kind == "1-bit"])
    if in_lce and device.machine in ("x86_64", "AMD64"):
        saved = ""
        if run_ms is not None and delegate_ms is not None:
            saved = f": {run_ms:.3f} ms, in the delegate {delegate_ms:.3f} ms"
            share, how = max(0.0, 1 - delegate_ms / run_ms), "measured"
        yield Finding(
            "LCE's own kernels on x86",
            f"{engine} has no SIMD kernels for x86{saved}",
            "--runtime delegate, which has AVX2 and AVX-512 kernels",
            share,
            how,
        )
    if kernel == "reference" or (kernel is not None and "scalar" in kernel):
        yield Finding(
            "reference or scalar kernels",
            f"{engine} ran the binary operators in {kernel} kernels",
            "a pad_values=1 model runs in LCE's fast kernels, or use the delegate"
            if in_lce
            else "unset LCE_FORCE_KERNEL and --kernel; python -m lce_delegate info shows the sets",
            share,
            how,
        )
    floats = explanation is not None and explanation.totals.ops_float > 0
    if "XNNPACK" not in engine and floats and explanation is not None:
        share, how = _share([op for op in explanation.ops if op.kind in ("float", "int8")])
        yield Finding(
            "XNNPACK off",
            f"{engine}: the float operators run without XNNPACK",
            "--use_xnnpack=true for benchmark_model; LiteRT's Python interpreter has it on",
            share,
            how,
        )


def _network(explanation: Explanation) -> Iterator[Finding]:
    ops = explanation.ops
    if not explanation.totals.ops_1bit:
        yield Finding(
            "no operator is 1-bit",
            f"{explanation.file} has {explanation.totals.ops_float} float and "
            f"{explanation.totals.ops_int8} int8 operators only",
            "irnet convert makes the 1-bit file; irnet explain says why an operator is not",
        )
    silent = [op for op in ops if meant_binary(op)]
    if silent:
        reasons = sorted({str(op.why_not_1bit) for op in silent})
        yield Finding(
            "silent float layers",
            f"{_names(silent)}: {reasons[0]}" + (" ..." if len(reasons) > 1 else ""),
            STRICT,
            *_share(silent),
        )
    padded = [op for op in ops if is_zero_padded(op)]
    if padded:
        yield Finding(
            "zero padding",
            f"{_names(padded)}: {padded[0].note}",
            ONES,
            *_share(padded),
        )
    refused = [reason for reason in explanation.target.reasons if "zero padding" in reason]
    if refused and not padded:
        yield Finding(
            "zero padding",
            "; ".join(refused[:2]) + "; LCE then takes its slow reference kernels",
            f"{ONES}; or the delegate",
            *_share([op for op in ops if op.kind == "1-bit"]),
        )
    stem = next((op for op in ops if is_stem(op)), None)
    if stem is not None and explanation.totals.ops_1bit:
        share, how = _share([stem])
        if share is not None and share > STEM_SHARE:
            yield Finding(
                "the stem dominates",
                f"{stem.op} {stem.index} ({stem.name}), {stem.macs or 0:,} float "
                "multiply-accumulates",
                STEM,
                share,
                how,
            )
    floats = [op for op in ops if op.kind == "float"]
    share, how = _share(floats)
    if explanation.totals.ops_1bit and share is not None and share > FLOAT_SHARE:
        yield Finding(
            "most of the time is float",
            f"{len(floats)} float operators beside {explanation.totals.ops_1bit} binary ones",
            f"{LEFTOVERS}; fewer channels in what stays float",
            share,
            how,
        )


def _share(ops: Sequence[OpReport]) -> tuple[float | None, str | None]:
    """Share of time of some operators; measured only if all of them were."""
    if not ops:
        return None, None
    shares = [op.estimated_share if op.measured_share is None else op.measured_share for op in ops]
    known = all(op.measured_share is not None for op in ops)
    return sum(shares), "measured" if known else "estimated"


def _names(ops: Sequence[OpReport]) -> str:
    shown = ", ".join(f"{op.op} {op.index}" for op in ops[:4])
    return shown + (f" and {len(ops) - 4} more" if len(ops) > 4 else "")
