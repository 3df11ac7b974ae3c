"""A child process that answers framed messages, and what to say when it does not."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from converters.runtimes.framing import ProtocolError, read_message, write_message
from irnet_keras.errors import CheckFailed, UsageError

OUT_OF_MEMORY = "out of memory"  # the child's whole answer to a MemoryError
# What is printed by C++ (twice), glibc's loader, Python and TFLite when memory is refused.
_NO_MEMORY = ("bad_alloc", "length_error", "cannot allocate memory", "MemoryError")
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class RefusedError(UsageError):
    """The child is alive and said no to this model or request."""


class MissingRuntimeError(UsageError):
    """What should run the model is not installed, or an option is wrong; the model is not."""


class Child:
    """``python -m converters.runtimes.worker`` behind two pipes.

    Attributes:
        pid: process id.
    """

    def __init__(self, name: str, timeout: float, *, memory_mib: int, threads: int = 1) -> None:
        """Start the process.

        Args:
            name: of the model, for error messages.
            timeout: seconds a request may take before the child is killed.
            memory_mib: address space it may take.
            threads: that it will run; each may take ``timeout`` seconds of processor time.
        """
        self._name = name
        self._timeout = timeout
        self._memory_mib = memory_mib
        cpu_seconds = math.ceil(timeout * threads)
        paths = [str(_PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONSAFEPATH": "1",  # the current folder must not be able to shadow modules
            "OPENBLAS_NUM_THREADS": "1",  # NumPy's own threads would blur the measurement
        }
        self._stderr: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (close() does)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "converters.runtimes.worker",
                str(memory_mib << 20),
                str(cpu_seconds),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then closes the child
        )
        self.pid = self._process.pid

    def close(self) -> None:
        """End the process; may be called twice."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent bytes in the buffer
                    pipe.close()
        self._process.wait()
        self._stderr.close()

    def request(
        self, header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()
    ) -> tuple[Any, list[NDArray[Any]]]:
        """Send one message, wait for its answer.

        Returns:
            The answer's value and arrays.

        Raises:
            RefusedError: the child answered with an error.
            MissingRuntimeError: it did, and the installation or an option is to blame.
            CheckFailed: it crashed, hung or talked nonsense; it is closed then.
        """
        process = self._process
        if process.stdin is None or process.stdout is None or process.stdin.closed:
            raise UsageError(f"{self._name}: the interpreter process is closed")
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        watchdog = threading.Timer(self._timeout, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            write_message(process.stdin, header, arrays)
            answer, results = read_message(process.stdout)
        except (OSError, EOFError, ProtocolError) as error:
            if isinstance(error, ProtocolError):
                process.kill()  # it may be alive, but what it says means nothing any more
            raise self._post_mortem(late.is_set()) from error
        finally:
            watchdog.cancel()
        if answer.get("setup"):
            raise MissingRuntimeError(answer["error"])
        if answer.get("error") == OUT_OF_MEMORY:
            raise self.no_memory()
        if "error" in answer:
            raise RefusedError(f"{self._name}: {self._reason(answer['error'])}")
        return answer["ok"], results

    def _post_mortem(self, late: bool) -> CheckFailed:
        try:
            code = self._process.wait(timeout=10)  # its pipe is closed: it is on its way out
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        printed = self.printed()
        last = f": {printed[-1]}" if printed else ""
        self.close()
        if late or code == -signal.SIGXCPU:
            return CheckFailed(f"{self._name}: no answer within {self._timeout:g} s, stopped")
        if any(text in line for line in printed for text in _NO_MEMORY):
            return self.no_memory()
        if code < 0:
            name = signal.Signals(-code).name
            return CheckFailed(f"{self._name}: the model crashed its interpreter ({name}){last}")
        return CheckFailed(f"{self._name}: the interpreter process ended with status {code}{last}")

    def no_memory(self) -> CheckFailed:
        """The error of a model for which the memory does not suffice."""
        return CheckFailed(f"{self._name}: the model needs more than {self._memory_mib} MiB")

    def _reason(self, message: str) -> str:
        """The runtime's first printed error, which says more than its exception, if any."""
        errors = (line for line in self.printed() if line.startswith("ERROR: "))
        return next(errors, message).removeprefix("ERROR: ")

    def printed(self) -> list[str]:
        """Lines the process and its native code have printed, up to 64 KiB."""
        # Not read(): the child shares the file position.
        text = os.pread(self._stderr.fileno(), 1 << 16, 0).decode("utf-8", "replace")
        return [line.strip() for line in text.splitlines() if line.strip()]
