"""Fuzz the check of untrusted files and everything behind it.

    python -m tests.fuzz.run --count 1000000 --seed 1 --state DIR

Every file is made from the seed files, the run's seed and its number. It must be refused with a
:class:`UsageError` or read, within ``--limit`` seconds; what is accepted is loaded and run in a
child. ``DIR`` keeps the counts, so that the same command goes on where it stopped, and each file
that crashed or hung anything. Exit status 1 if one did.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from converters.graph import Graph
from converters.runtimes.modes import candidates, uses_lce
from converters.untrusted import Policy, read_untrusted
from irnet_keras.errors import UsageError
from tests.fuzz.child import FuzzChild
from tests.fuzz.mutate import Mutator

SEEDS = Path(__file__).with_name("seeds")
LIMIT_S = 5.0
# What the slowest kernels (LCE's and TFLite's reference loops) do within the limit.
POLICY = Policy(gmacs=1)


class Run:
    """Counts of a run, and what it does with one file."""

    def __init__(self, seed: int, folder: Path | None, limit_s: float = LIMIT_S) -> None:
        files = {path.stem: path.read_bytes() for path in sorted(SEEDS.glob("*.tflite"))}
        self._mutator = Mutator(files, seed)
        self._child = FuzzChild(limit_s)
        self._limit_s = limit_s
        self._folder = folder
        self.seed = seed
        self.next = 0
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest_check = 0.0
        self.slowest_run = 0.0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._load(folder / "state.json")

    def step(self) -> None:
        """Make, check and, if accepted, run the next file."""
        index, self.next = self.next, self.next + 1
        origin, data = self._mutator.make(index)
        self.counts["mutated"] += 1
        begun = time.perf_counter()
        graph = self._checked(index, origin, data)
        seconds = time.perf_counter() - begun
        if seconds > self._limit_s:  # or other work slowed it down: once more, own time alone
            begun = time.process_time()
            self._checked(index, origin, data)
            seconds = time.process_time() - begun
            if seconds > self._limit_s:
                self._fail(index, origin, data, f"the check took {seconds:.1f} s")
        self.slowest_check = max(self.slowest_check, seconds)
        if graph is None:
            self.counts["refused"] += 1
            return
        self.counts["accepted"] += 1
        for engine in engines(graph, index):
            answer = self._child.run(data, engine)
            self.counts[f"executed in {engine}"] += 1
            outcome = answer.partition(":")[0]
            self.counts[f"{engine}: {outcome}"] += 1
            if outcome not in ("ok", "refused"):
                self._fail(index, origin, data, f"{engine}: {answer}")
        self.counts["executed"] += 1

    def _checked(self, index: int, origin: str, data: bytes) -> Graph | None:
        try:
            return read_untrusted(data, POLICY)
        except UsageError as error:
            self.reasons[_kind(str(error))] += 1
        except Exception as error:  # noqa: BLE001  (that is what is looked for)
            self._fail(index, origin, data, f"the check raised {type(error).__name__}: {error}")
        return None

    def save(self) -> None:
        """Write the state."""
        self.slowest_run = max(self.slowest_run, self._child.slowest)
        if self._folder is not None:
            path = self._folder / "state.json"
            new = path.with_suffix(".new")
            new.write_text(json.dumps(self.summary(), indent=1))
            new.replace(path)

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def summary(self) -> dict[str, Any]:
        """All counts."""
        return {
            "seed": self.seed,
            "next": self.next,
            "counts": dict(sorted(self.counts.items())),
            "reasons": dict(self.reasons.most_common()),
            "slowest_check_s": round(self.slowest_check, 4),
            "slowest_run_s": round(max(self.slowest_run, self._child.slowest), 4),
            "failures": self.failures,
        }

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        state = json.loads(path.read_text())
        if state["seed"] != self.seed:
            raise SystemExit(f"{path} is of seed {state['seed']}, not {self.seed}")
        self.next = state["next"]
        self.counts, self.reasons = Counter(state["counts"]), Counter(state["reasons"])
        self.failures = state["failures"]
        self.slowest_check, self.slowest_run = state["slowest_check_s"], state["slowest_run_s"]

    def _fail(self, index: int, origin: str, data: bytes, what: str) -> None:
        self.failures.append(f"seed {self.seed}, file {index} (from {origin}): {what}")
        if self._folder is not None:
            (self._folder / f"{self.seed}-{index}.tflite").write_bytes(data)


def engines(graph: Graph, index: int) -> list[str]:
    """What runs an accepted file: what our commands would, and sometimes the others."""
    if uses_lce(graph):
        modes = [f"lce-{mode}" for mode in candidates(graph)]
        return ["delegate", *([modes[index // 3 % len(modes)]] if index % 3 == 0 else [])]
    others = ("plain", "reference", "lce-default")
    return ["default", *([others[index // 4 % 3]] if index % 4 == 0 else [])]


def _kind(message: str) -> str:
    """A refusal without its numbers and names."""
    text = re.sub(r"\('.*'\)|'[^']*'|\[[^\]]*\]|\([^()]*\)", "", message)
    text = re.sub(r"-?\b[\d.,]+(e[-+]?\d+)?\b|\binf\b|\bnan\b", "#", text)
    return " ".join(text.split())[:90]


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="number of the last file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="folder to go on in")
    parser.add_argument("--only", type=int, help="this file alone, printed")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds of one file")
    arguments = parser.parse_args()
    run = Run(arguments.seed, arguments.state, arguments.limit)
    if arguments.only is not None:
        run.next, arguments.count = arguments.only, arguments.only + 1
    print(f"seed {arguments.seed}, files {run.next} to {arguments.count}", flush=True)
    begun, first = time.monotonic(), run.next
    try:
        while run.next < arguments.count:
            run.step()
            if run.next % 5000 == 0:
                run.save()
                rate = (run.next - first) / (time.monotonic() - begun)
                print(
                    f"{run.next}: {run.counts['accepted']} accepted, {len(run.failures)} failed, "
                    f"{rate:.0f}/s",
                    flush=True,
                )
    finally:
        run.save()
        run.close()
    print(json.dumps(run.summary(), indent=1))
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
