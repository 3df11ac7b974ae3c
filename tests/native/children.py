"""Run code that may crash in a child process, and go on behind the case that crashed it.

A child prints one JSON object per line: ``{"event": "begin", "index": i}`` before it starts case
``i``, anything else afterwards. If it dies or hangs, a ``crash`` event names the case and the
child is started again at the next one.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Event = dict[str, Any]


def run_supervised(
    command: Sequence[str | os.PathLike[str]],
    timeout: float,
    environment: dict[str, str] | None = None,
) -> list[Event]:
    """Run ``command --start N`` until it comes to its end.

    Args:
        command: program and arguments; must accept ``--start``.
        timeout: seconds for one start of the child.
        environment: added to this process's.

    Returns:
        All events in order, without ``begin``.

    Raises:
        RuntimeError: the child failed before its first case.
    """
    events: list[Event] = []
    start = 0
    while True:
        found, status, log = _run([*map(str, command), "--start", str(start)], timeout, environment)
        begun = [e["index"] for e in found if e["event"] == "begin"]
        events += [e for e in found if e["event"] != "begin"]
        if status == "":
            return events
        if not begun or begun[-1] < start:
            raise RuntimeError(f"{command[0]} {status} before its first case:\n{log[-3000:]}")
        tail = " | ".join(log.strip().splitlines()[-3:])
        events.append({"event": "crash", "index": begun[-1], "message": f"{status}: {tail}"})
        start = begun[-1] + 1


def _run(
    command: list[str], timeout: float, environment: dict[str, str] | None
) -> tuple[list[Event], str, str]:
    """Events, what went wrong ("" if nothing did) and the log of one child."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdout=out, stderr=err, env={**env, **(environment or {})}
        )
        try:
            code = process.wait(timeout)
            status = "" if code == 0 else _describe(code)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = f"no end after {timeout} s"
        out.seek(0)
        err.seek(0)
        events = []
        for line in out.read().decode(errors="replace").splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # cut off by a crash, or not ours
                event = json.loads(line)
                if isinstance(event, dict) and "event" in event:
                    events.append(event)
        return events, status, err.read().decode(errors="replace")


def _describe(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"


def python(*arguments: str | os.PathLike[str]) -> list[str]:
    """Command line of this Python."""
    return [sys.executable, *map(str, arguments)]
