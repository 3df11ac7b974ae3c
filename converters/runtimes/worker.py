"""The child process, driven over stdin and stdout.

    python -m converters.runtimes.worker MEMORY_BYTES CPU_SECONDS

No more address space is given than ``MEMORY_BYTES``, and no message may take more processor time
than ``CPU_SECONDS``: the parent, which has the wall clock, may be gone.

Commands (header key ``"do"``): ``load``, ``run``, ``time``, ``profile``,
``time_file``. The answer is
``{"ok": ...}`` with arrays, or ``{"error": text, "setup": whether the model is not to blame}``.
"""

import contextlib
import ctypes
import gc
import hashlib
import os
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.runtimes.child import OUT_OF_MEMORY
from converters.runtimes.delegate import DELEGATE, SetupError
from converters.runtimes.framing import read_message, write_message
from converters.runtimes.interpreters import (
    LITERT,
    Interpreter,
    import_runtime,
    make_interpreter,
)
from converters.runtimes.profiling import Plan, profile_delegate, time_file

OVERREAD_BYTES = 16  # LCE_EXTRA_BYTES in larq_compute_engine/core/types.h

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def _status_bytes(key: str) -> int:
    match = re.search(rf"^{key}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    if match is None:
        raise OSError(f"{_STATUS} has no {key}")
    return int(match[1]) * 1024


def reset_peak() -> int | None:
    """Give free memory back, reset the peak, return the resident size in bytes.

    None where the kernel offers no such thing (not Linux, or ``clear_refs`` forbidden).
    """
    gc.collect()
    try:
        with contextlib.suppress(OSError, AttributeError):  # musl has no malloc_trim
            ctypes.CDLL(None).malloc_trim(0)
        _CLEAR_REFS.write_text("5")  # proc(5): 5 resets VmHWM to the current VmRSS
        return _status_bytes("VmRSS")
    except OSError:
        return None


def random_input(shape: list[int], dtype: str, rng: np.random.Generator) -> NDArray[Any]:
    """Standard normal floats, integers over the whole range of 8 bits, otherwise zeros."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.standard_normal(shape).astype(kind)
    if kind.itemsize == 1 and kind.kind in "iu":
        limits = np.iinfo(kind)
        return rng.integers(limits.min, limits.max, shape, kind, endpoint=True)
    return np.zeros(shape, kind)


class Worker:
    """State of the child: one interpreter and one fixed random input."""

    def __init__(self) -> None:
        self._interpreter: Interpreter | None = None
        self._input: list[NDArray[Any]] = []
        self._header: dict[str, Any] = {}

    def load(self, header: dict[str, Any]) -> dict[str, Any]:
        """Build the interpreter and run it once; the peak of both is the model's memory."""
        runtime = import_runtime(header["engine"])
        rng = np.random.default_rng(header["seed"])
        self._input = [random_input(shape, dtype, rng) for shape, dtype in header["inputs"]]
        self._header = header
        before = reset_peak()
        model = _content(header)
        self._interpreter = make_interpreter(
            runtime,
            header["engine"],
            header["mode"],
            pad_content(model),
            header["threads"],
            header["kernel"],
        )
        self._interpreter.predict(self._input)
        memory = None if before is None else max(0, _status_bytes("VmHWM") - before)
        return {
            "memory": memory,
            "xnnpack": self._interpreter.xnnpack,
            "delegate": self._interpreter.delegate,
        }

    def run(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Each image on its own; every output stacked along a new first axis, raw types."""
        predict = self._loaded().predict
        rows = [
            predict([np.ascontiguousarray(value[i : i + 1]) for value in inputs])
            for i in range(len(inputs[0]))
        ]
        return [np.stack(column) for column in zip(*rows, strict=True)]

    def time(self, count: int, warmup: int) -> NDArray[np.float64]:
        """Seconds of each of ``count`` runs: input copied in, graph run, outputs copied out."""
        predict, inputs = self._loaded().predict, self._input
        for _ in range(warmup):
            predict(inputs)
        stamps = np.empty((count, 2), np.int64)
        clock = time.perf_counter_ns
        for i in range(count):
            begun = clock()
            predict(inputs)
            stamps[i] = begun, clock()
        return (stamps[:, 1] - stamps[:, 0]) * 1e-9

    def profile(self, plan: Plan) -> list[dict[str, Any]]:
        """Time of each of the delegate's operators, in an interpreter of its own."""
        header = self._header
        if header.get("engine") != DELEGATE:
            return []
        runtime = import_runtime(DELEGATE)
        return profile_delegate(runtime, _content(header), header["kernel"], self._input, plan)

    def time_file(self, content: NDArray[Any], plan: Plan) -> float:
        """Median seconds of another file in LiteRT alone."""
        rng = np.random.default_rng(self._header["seed"])
        return time_file(import_runtime(LITERT), content.tobytes(), rng, plan)

    def _loaded(self) -> Interpreter:
        if self._interpreter is None:
            raise ValueError("no model is loaded")
        return self._interpreter

    def answer(
        self, header: dict[str, Any], arrays: list[NDArray[Any]]
    ) -> tuple[Any, list[NDArray[Any]]]:
        """Do what a message asks."""
        if header["do"] == "load":
            return self.load(header), []
        if header["do"] == "run":
            return True, self.run(arrays)
        if header["do"] == "time":
            return True, [self.time(header["count"], header["warmup"])]
        if header["do"] in ("profile", "time_file"):
            self._loaded()
            plan = Plan(header["count"], header["warmup"], self._header["threads"])
            if header["do"] == "profile":
                return self.profile(plan), []
            return self.time_file(arrays[0], plan), []
        raise ValueError(f"unknown command {header['do']!r}")


def _content(header: dict[str, Any]) -> bytes:
    """The file named in a ``load`` message, the very bytes that were checked."""
    model = Path(header["path"]).read_bytes()
    if hashlib.sha256(model).hexdigest() != header["sha256"]:
        raise ValueError("the file changed after it was checked")
    return model


def pad_content(model: bytes) -> bytes:
    """A file's content with zeros behind it.

    LCE's kernels read up to ``OVERREAD_BYTES`` behind a constant, and a constant may be last.
    """
    return model + bytes(OVERREAD_BYTES)


def _limit(kind: int, value: int) -> None:
    """Set a soft limit, as far as the hard one allows."""
    _, hard = resource.getrlimit(kind)
    soft = value if hard == resource.RLIM_INFINITY else min(hard, value)
    resource.setrlimit(kind, (soft, hard))


def main() -> None:
    """Answer messages until the parent closes the pipe."""
    # Native code prints where it likes; the protocol gets a descriptor of its own.
    requests = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    memory_bytes, cpu_seconds = (int(argument) for argument in sys.argv[1:3])
    _limit(resource.RLIMIT_AS, memory_bytes)
    worker = Worker()
    while True:
        try:
            header, arrays = read_message(requests)
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds)
        try:
            ok, results = worker.answer(header, arrays)
        except MemoryError:
            write_message(replies, {"error": OUT_OF_MEMORY, "setup": False})
        except Exception as error:  # noqa: BLE001  (reported to the parent, which decides)
            lines = str(error).strip().splitlines() or [type(error).__name__]
            setup = isinstance(error, SetupError)
            write_message(replies, {"error": lines[0], "setup": setup})
        else:
            write_message(replies, {"ok": ok}, results)


if __name__ == "__main__":
    main()
