"""Compare the delegate in stock LiteRT with LCE's own interpreter, bit for bit.

    python -m tests.native.conformance --layers 300 --seed 0 [--kernel auto avx2 scalar]
        [--threads 1,2] [--fusion 1,0] [--long] [--only INDEX] [--export FILE.npz]

Layers are random and numbered; a failure names seed and index, and ``--only INDEX`` repeats it.
Models that fail are saved in ``--failures DIR``. ``--export`` only writes models, inputs and
expected outputs, for :mod:`tests.native.replay` on a machine without LCE. Exit status: 0 all
equal, 1 some differ.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.native.cases import Case, make_case, save
from tests.native.children import ROOT, Event, python, run_supervised
from tests.native.library import LibraryMissingError, library_path
from tests.native.oracle import Verdict, judge

BATCH = 500  # cases per child process and file
LONG = 5000
SHOWN = 30  # failed layers


@dataclass
class Report:
    """What a comparison found.

    Attributes:
        cases: number of cases.
        runs: cases times combinations of options.
        categories: cases by category.
        sources: cases by who said what is right (an LCE mode or the emulator).
        problems: disagreements on the oracle's own side.
        failures: (name of the case, options and what differed) of every failed run.
        failed: failed runs by category.
    """

    cases: int = 0
    runs: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    def add_verdicts(self, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> None:
        """Count what the oracle said."""
        self.cases += len(cases)
        for case, verdict in zip(cases, verdicts, strict=True):
            self.categories[case.category] += 1
            self.sources[verdict.source] += 1
            self.problems += [f"{case.name}: {problem}" for problem in verdict.problems]

    def add_events(self, cases: Sequence[Case], events: Sequence[Event], kernel: str) -> None:
        """Count what a replay said."""
        for event in events:
            if event["event"] == "summary":
                self.runs += event["runs"]
                continue
            case = cases[event["index"]]
            self.failed[case.category] += 1
            options = event.get("options", f"kernel {kernel}, {event['event']}")
            self.failures.append((case.name, f"with {options}: {event['message']}"))


def export(path: Path, cases: Sequence[Case], verdicts: Sequence[Verdict]) -> None:
    """Write cases and expected outputs to one ``.npz`` file."""
    save(path, cases, [v.outputs for v in verdicts], [{"source": v.source} for v in verdicts])


def replay(
    stored: Path,
    library: Path,
    kernel: str = "auto",
    threads: str = "1",
    fusion: str = "1",
    timeout: float = 900.0,
) -> list[Event]:
    """Events of a replay in child processes, crashes included."""
    script = ROOT / "tests" / "native" / "replay.py"
    command = python(script, stored, "--library", library, "--kernel", kernel)
    return run_supervised([*command, "--threads", threads, "--fusion", fusion], timeout)


def compare(
    seed: int,
    indices: Sequence[int],
    library: Path,
    kernels: Sequence[str] = ("auto",),
    threads: str = "1",
    fusion: str = "1",
    failures: Path | None = None,
) -> Report:
    """Make cases, ask the oracle, replay them with every kernel set.

    Args:
        seed: of the cases.
        indices: numbers of the cases.
        library: the delegate.
        kernels: kernel sets, or ``auto``.
        threads: list such as ``"1,2"``.
        fusion: list such as ``"1,0"``.
        failures: folder for the models that failed, or None.
    """
    report = Report()
    for first in range(0, len(indices), BATCH):
        cases = [make_case(seed, index) for index in indices[first : first + BATCH]]
        verdicts = judge(cases)
        report.add_verdicts(cases, verdicts)
        with tempfile.TemporaryDirectory() as folder:
            stored = Path(folder, "cases.npz")
            export(stored, cases, verdicts)
            for kernel in kernels:
                events = replay(stored, library, kernel, threads, fusion)
                report.add_events(cases, events, kernel)
                numbers = {e["index"] for e in events if "index" in e}
                if failures:
                    for number in sorted(numbers):
                        _save_failure(failures, cases[number], verdicts[number])
    return report


def _save_failure(folder: Path, case: Case, verdict: Verdict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"seed{case.seed}_index{case.index}"
    (folder / f"{stem}.tflite").write_bytes(case.model)
    export(folder / f"{stem}.npz", [case], [verdict])


def describe(report: Report) -> str:
    """Text for people."""
    lines = [f"{report.cases} layers, {report.runs} runs, {len(report.failures)} failures"]
    lines += ["expected outputs: " + ", ".join(f"{n} {s}" for s, n in report.sources.items())]
    for category, count in report.categories.items():
        failed = report.failed[category]
        lines.append(f"  {category:36} {count:5}" + (f"  {failed} FAILED" if failed else ""))
    lines += [f"ORACLE {text}" for text in report.problems]
    by_case: dict[str, list[str]] = {}
    for name, text in report.failures:
        by_case.setdefault(name, []).append(text)
    for name, texts in list(by_case.items())[:SHOWN]:
        lines.append(f"FAILED {name} in {len(texts)} runs, first {texts[0]}")
    if len(by_case) > SHOWN:
        lines.append(f"... and {len(by_case) - SHOWN} more layers")
    return "\n".join(lines)


def main() -> int:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--layers", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kernel", nargs="+", default=["auto"])
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--fusion", default="1")
    parser.add_argument("--long", action="store_true", help=f"{LONG} layers")
    parser.add_argument("--only", type=int, nargs="+", help="indices of single cases")
    parser.add_argument("--failures", type=Path, default=Path("build/conformance-failures"))
    parser.add_argument("--export", type=Path, help="write the cases to this .npz and stop")
    arguments = parser.parse_args()
    indices = arguments.only or range(LONG if arguments.long else arguments.layers)
    if arguments.export:
        cases = [make_case(arguments.seed, index) for index in indices]
        export(arguments.export, cases, judge(cases))
        print(f"{arguments.export}: {len(cases)} cases, {arguments.export.stat().st_size:,} bytes")
        return 0
    try:
        library = library_path()
    except LibraryMissingError as error:
        print(error, file=sys.stderr)
        return 2
    begun = time.perf_counter()
    report = compare(
        arguments.seed,
        indices,
        library,
        arguments.kernel,
        arguments.threads,
        arguments.fusion,
        arguments.failures,
    )
    print(f"seed {arguments.seed}, {library}")
    print(f"kernels {', '.join(arguments.kernel)}, threads {arguments.threads}")
    print(describe(report))
    print(f"{time.perf_counter() - begun:.1f} s")
    return 1 if report.failures or report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
