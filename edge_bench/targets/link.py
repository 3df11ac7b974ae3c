"""The way to a target: run a command, move a file. Everything else is built on that."""

import contextlib
import io
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from irnet_keras.errors import CheckFailed

# Of what a command prints, bytes per stream; a log of benchmark_model with profile has 50 KB.
OUTPUT_LIMIT = 4 << 20
CONNECT_SECONDS = 15.0
# For the link itself on top of what a command may take.
GRACE_SECONDS = 10.0
BEAT = b"."  # what tells the target that this side is still there


class TargetError(CheckFailed):
    """The target or the way to it failed; the line says what and where."""


class LostError(TargetError):
    """The connection has gone."""


class LateError(TargetError):
    """No end within the time allowed."""


class TooMuchError(TargetError):
    """More output than the limit."""


@dataclass(frozen=True)
class Completed:
    """A command that ended by itself.

    Attributes:
        status: exit status, 128 + number for a signal.
        stdout: what it printed; what is not UTF-8 is replaced.
        stderr: likewise.
    """

    status: int
    stdout: str
    stderr: str

    def last_line(self) -> str:
        """The last line of stderr, else of stdout, for messages; at most 300 characters."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines()]
        text = next((line for line in reversed(lines) if line), "no message")
        return "".join(c if c.isprintable() else "?" for c in text)[:300]


class Link(Protocol):
    """Implementations raise :class:`TargetError`, or ``UsageError`` for what the user must mend."""

    default_folder: str
    """Where run folders are made if the target sets no ``TMPDIR``."""

    def open(self) -> None:
        """Connect."""
        ...

    def close(self) -> None:
        """End the connection; never raises, may be called twice."""
        ...

    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        output_limit: int = OUTPUT_LIMIT,
        stdin: Path | None = None,
        stdout: Path | None = None,
    ) -> Completed:
        """Run a line of the target's shell to its end.

        Args:
            command: one line, made by :func:`shell_line`.
            timeout_s: for all of it.
            output_limit: bytes per stream.
            stdin: file it reads; None for nothing.
            stdout: file that gets what it prints; None for the result.

        Raises:
            LostError: the connection broke.
            LateError: no end within ``timeout_s``.
            TooMuchError: a stream has more than ``output_limit`` bytes.
        """
        ...

    def hold(self, command: str, *, timeout_s: float) -> str:
        """Start a command that ends when its input does, as on any loss of the link.

        Returns:
            Its first line.

        Raises:
            TargetError: it ended without one; the text is the last line it printed.
        """
        ...

    def beat(self) -> None:
        """Write a byte to the input of what is held; called from a thread of its own.

        Raises:
            TargetError: nothing is held.
            OSError: it cannot be written.
        """
        ...

    def release(self, *, timeout_s: float) -> None:
        """End the input of what is held, and wait for it.

        Raises:
            TargetError: it did not end, or failed.
        """
        ...

    def send(self, path: Path, remote: str, *, timeout_s: float) -> None:
        """Copy a file to the target."""
        ...

    def receive(self, remote: str, path: Path, *, timeout_s: float, size_limit: int) -> None:
        """Copy a file from the target."""
        ...


def shell_line(script: str, *arguments: str) -> str:
    """A line for any shell, that runs a POSIX script with arguments.

    Args:
        script: constant text; what varies comes as an argument, never as part of it.
        arguments: ``$1`` and so on.
    """
    return "exec " + shlex.join(["sh", "-c", script, "sh", *arguments])


class CatFiles:
    """Files through ``cat``, for links whose commands have input and output that are clean."""

    def send(self: "Link", path: Path, remote: str, *, timeout_s: float) -> None:
        """Copy a file to the target."""
        line = shell_line('cat > "$1"', remote)
        done = self.execute(line, timeout_s=timeout_s, stdin=path)
        if done.status:
            raise TargetError(done.last_line())

    def receive(
        self: "Link", remote: str, path: Path, *, timeout_s: float, size_limit: int
    ) -> None:
        """Copy a file from the target."""
        line = shell_line('cat -- "$1"', remote)
        done = self.execute(line, timeout_s=timeout_s, stdout=path, output_limit=size_limit)
        if done.status:
            raise TargetError(done.last_line())


class Collected:
    """What a stream gave so far, in memory or in a file, up to a limit."""

    def __init__(self, limit: int, file: Path | None = None) -> None:
        """Start.

        Args:
            limit: bytes.
            file: to write to; None keeps the bytes.
        """
        self._limit, self._size = limit, 0
        self._target: IO[bytes] = file.open("wb") if file else io.BytesIO()

    def add(self, chunk: bytes) -> None:
        """Append.

        Raises:
            TooMuchError: beyond the limit.
        """
        self._size += len(chunk)
        if self._size > self._limit:
            raise TooMuchError(f"more than {self._limit:,} bytes of output, stopped")
        self._target.write(chunk)

    def close(self) -> str:
        """The text; empty if it went to a file."""
        text = ""
        if isinstance(self._target, io.BytesIO):
            text = self._target.getvalue().decode("utf-8", "replace")
        self._target.close()
        return text


class Pulse:
    """A thread that says again and again that this side is still there."""

    def __init__(self, beat: Callable[[], None], every_s: float) -> None:
        """Start.

        Args:
            beat: of a link.
            every_s: seconds between two.
        """
        self._beat, self._every_s = beat, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError, TargetError):  # who uses the link next is told
            while not self._over.wait(self._every_s):
                self._beat()

    def stop(self) -> None:
        """No beat follows."""
        self._over.set()
        self._thread.join(timeout=GRACE_SECONDS)
