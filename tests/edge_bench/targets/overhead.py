"""What SSH adds to a benchmark: the same calls here and over loopback.

    python -m tests.edge_bench.targets.overhead FILES [--check]

Prints seconds of the whole command's work on this machine and over a real sshd on loopback, with
the settings of ``irnet bench``, and what the tool itself measured. ``--check``: exit status 1 if
the work over SSH takes 5 s more than what was measured.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from edge_bench.remote import Plan, bench_on
from edge_bench.remote_calls import Logs
from edge_bench.targets import parse_address
from edge_bench.tools import ToolOptions
from tests.edge_bench.targets.board import running_board
from tests.edge_bench.targets.conftest import install_python
from tests.native.library import library_path

LIMIT_S = 5.0


def main() -> int:
    """Measure both; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    plan = Plan(
        options.files,
        tool="lce_delegate",
        options=ToolOptions(num_runs=60, warmup_runs=10),
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        running_board(Path(folder) / "board") as board,
    ):
        install_python(board.bin, library_path())
        os.environ["HOME"] = str(board.home)
        os.environ.pop("SSH_AUTH_SOCK", None)
        seconds = {}
        for on in ("local", f"ssh://127.0.0.1:{board.port}"):
            begun = time.monotonic()
            result = bench_on([parse_address(on)], plan, Logs(Path(folder) / "logs", resume=False))
            kind = result.devices[0].kind
            seconds[kind] = time.monotonic() - begun
            measured = sum(sum(b.samples_ms) for b in result.builds) / 1e3
            print(f"{kind:<5} {seconds[kind]:6.2f} s, of them {measured:.2f} s timed runs")
    print(f"SSH itself takes {seconds['ssh'] - seconds['local']:.2f} s of that")
    return int(options.check and seconds["ssh"] - measured > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
