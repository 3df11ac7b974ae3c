"""Write ``layers.npz``: small cases of every category, and what LCE makes of them.

    python tests/golden/make_layers.py [--check]

For machines without LCE (ARM boards): ``python tests/native/replay.py tests/golden/layers.npz
--library liblce_delegate.so`` needs NumPy and LiteRT only. ``--check`` compares the stored file
with what LCE and the generators say now, and writes nothing.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.native.cases import CATEGORIES, Case, make_case
from tests.native.conformance import export
from tests.native.oracle import judge

SEED = 20261126
PER_CATEGORY = 2
MAX_BYTES = 12_000  # of a case's file; what is larger is left to the random tests
FILE = Path(__file__).with_name("layers.npz")


def write(path: Path) -> None:
    """Make the cases, ask LCE, write and compress."""
    cases = []
    for number in range(len(CATEGORIES)):
        candidates = (make_case(SEED, number + i * len(CATEGORIES)) for i in range(200))
        small = (case for case in candidates if _stored_bytes(case) <= MAX_BYTES)
        cases += [case for _, case in zip(range(PER_CATEGORY), small, strict=False)]
    verdicts = judge(cases)
    problems = [p for verdict in verdicts for p in verdict.problems]
    if problems:
        raise RuntimeError("; ".join(problems))
    export(path, cases, verdicts)
    with np.load(path) as archive:
        np.savez_compressed(path, **dict(archive))


def differences(path: Path, other: Path) -> list[str]:
    """Names of arrays that are not the same in two files."""
    with np.load(path) as a, np.load(other) as b:
        if set(a.files) != set(b.files):
            return sorted(set(a.files) ^ set(b.files))
        return [n for n in a.files if a[n].dtype != b[n].dtype or a[n].tobytes() != b[n].tobytes()]


def _stored_bytes(case: Case) -> int:
    return len(case.model) + sum(v.nbytes for values in case.inputs for v in values)


def main() -> int:
    """Parse, write or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        write(FILE)
        print(f"{FILE}: {FILE.stat().st_size:,} bytes")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder, FILE.name)
        write(fresh)
        found = differences(FILE, fresh)
    print(f"differences: {', '.join(found) or 'none'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
