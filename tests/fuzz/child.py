"""A :mod:`tests.fuzz.runner` that is started again after it has died or hung."""

import contextlib
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.runner import ENGINES

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0
_GRACE_S = 0.5


class FuzzChild:
    """One child at a time.

    Attributes:
        slowest: seconds of the slowest file: by the clock, or of processor time above half a one.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None
        self._used = -1.0  # processor time after _GRACE_S
        self.slowest = 0.0

    def run(self, model: bytes, engine: str) -> str:
        """``ok``, ``refused: ...``, ``hang`` or ``crash: SIGNAL``."""
        process = self._process or self._start()
        assert process.stdin is not None
        begun = time.perf_counter()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(struct.pack("<IB", len(model), ENGINES.index(engine)) + model)
            process.stdin.flush()
        answer = self._line(process, self._limit_s)
        seconds = time.perf_counter() - begun
        if self._used >= 0:
            seconds = min(seconds, _GRACE_S + _cpu_seconds(process.pid) - self._used)
        self.slowest = max(self.slowest, seconds)
        if answer:
            return answer
        hung = answer is None
        self.close()
        code = process.returncode
        if hung:
            return "hang"
        return f"crash: {signal.Signals(-code).name if code < 0 else code}"

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)  # one that has crashed has its own status
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
        )
        if self._line(self._process, _START_SECONDS) != "ready":
            raise RuntimeError("the child that runs files does not start")
        return self._process

    def _line(self, process: subprocess.Popen[bytes], limit_s: float) -> str | None:
        """A line; "" at the end of the stream, None after the limit.

        The limit is of processor time, since other work may slow the child down; 20 times that
        on the clock, in case it sleeps.
        """
        assert process.stdout is not None
        begun, self._used = time.monotonic(), -1.0
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not selector.select(_GRACE_S):
                if self._used < 0:
                    self._used = _cpu_seconds(process.pid)
                late = time.monotonic() - begun > 20 * limit_s
                if late or _cpu_seconds(process.pid) - self._used > limit_s:
                    return None
        return process.stdout.readline().decode().strip()


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
