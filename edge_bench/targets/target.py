"""A target with a folder of its own for one run."""

import contextlib
import math
import os
import re
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_bench.host import THROTTLED
from edge_bench.schema import CpuState
from edge_bench.targets import scripts
from edge_bench.targets.address import Address
from edge_bench.targets.facts import (
    FACTS_SCRIPT,
    STATE_SCRIPT,
    Facts,
    parse_conditions,
    parse_facts,
)
from edge_bench.targets.link import (
    GRACE_SECONDS,
    OUTPUT_LIMIT,
    Completed,
    LateError,
    Link,
    LostError,
    Pulse,
    TargetError,
    TooMuchError,
    shell_line,
)
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_path, sha256_file

SHORT_SECONDS = 60.0  # for commands that take no time themselves
# The target ends a run that it has not heard from for so long; it hears every quarter of that.
SILENCE_SECONDS = 60
PULL_LIMIT = 256 << 20
# Slower than any Wi-Fi worth using.
_BYTES_PER_SECOND = 100_000
VENV = ".local/share/irnet/venv"  # of `irnet device setup`, below the home folder

_TIMED_OUT = (124, 137, 143)


class Target:
    """One place where tools run; a context manager that makes and removes the run's folder.

    Attributes:
        address: as asked for.
        label: for results; without user names and serial numbers.
        folder: of this run on the target; holds nothing but what this run puts there.
    """

    def __init__(
        self,
        address: Address,
        make_link: Callable[[], Link],
        *,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare; nothing is opened.

        Args:
            address: of the target.
            make_link: makes an unopened link; called once more after a loss, to clean up.
            log: receives warnings.
        """
        self.address = address
        self.label = f"ssh://{address.host}" if address.kind == "ssh" else address.kind
        self.folder = ""
        self._make_link = make_link
        self._link = make_link()
        self._log = log
        self._runs = 0
        self._pushed: dict[str, str] = {}
        self._facts: Facts | None = None
        self._pulse: Pulse | None = None

    def __enter__(self) -> Self:
        """Connect, lock the target and make the folder.

        Raises:
            TargetError: unreachable, or in use by another run.
            UsageError: something on this side has to be mended first.
        """
        try:
            self._link.open()
            token = secrets.token_hex(8)
            words = self._link.default_folder, token, str(SILENCE_SECONDS)
            line = shell_line(scripts.HOLD, *words)
            folder = self._link.hold(line, timeout_s=SHORT_SECONDS)
            if not re.fullmatch(rf"/[\x21-\x7e]*/irnet-{token}", folder):
                raise self.error(f"answers with {folder[:80]!r} where a folder was expected")
            self.folder = folder
            self._pulse = Pulse(self._link.beat, SILENCE_SECONDS / 4)
        except BaseException:
            self._link.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the folder, whatever happened; warns where that cannot be seen to be done."""
        try:
            if self._pulse is not None:
                self._pulse.stop()
            try:
                self._link.release(timeout_s=SHORT_SECONDS)
            except TargetError:
                self._clean_again()
        finally:
            self._link.close()

    def _clean_again(self) -> None:
        """The link is lost: the target cleans up by itself; look, over a new link."""
        self._link.close()
        self._link = self._make_link()
        try:
            self._link.open()
            line = shell_line(scripts.GONE, self.folder)
            done = self._link.execute(line, timeout_s=SHORT_SECONDS)
        except (TargetError, UsageError):
            self._log(
                f"warning: {self.address.text} cannot be reached to see that {self.folder} has "
                "been removed; it does that itself when it notices the loss of the connection"
            )
            return
        if done.status:
            self._log(
                f"warning: {self.address.text}: {self.folder} was not removed: {done.last_line()}"
            )

    def error(self, text: str) -> TargetError:
        """An error that names this target."""
        return TargetError(f"{self.address.text}: {text}")

    def run(
        self, argv: Sequence[str], *, timeout_s: float, output_limit: int = OUTPUT_LIMIT
    ) -> Completed:
        """Run a program in the run's folder to its end.

        Args:
            argv: program and arguments, passed on as they are.
            timeout_s: it is stopped, with all it started, after so many seconds.
            output_limit: it is stopped when a stream has more bytes.

        Raises:
            TargetError: it hung or printed too much, or the connection was lost. A program that
                ends with a status other than 0 is no error here.
        """
        name = str(self._runs)
        self._runs += 1
        limit = str(math.ceil(timeout_s))  # busybox takes whole seconds
        line = shell_line(scripts.RUN, self.folder, name, limit, *argv)
        program = shlex.join([os.path.basename(argv[0]), *argv[1:3]])  # noqa: PTH119  (a remote path)
        begun = time.monotonic()
        try:
            done = self._link.execute(
                line, timeout_s=timeout_s + GRACE_SECONDS, output_limit=output_limit
            )
        except (LateError, TooMuchError) as error:
            with contextlib.suppress(TargetError):
                self._link.execute(
                    shell_line(scripts.STOP, self.folder, name), timeout_s=SHORT_SECONDS
                )
            raise type(error)(f"{error} ({program})") from error
        if done.status in _TIMED_OUT and time.monotonic() - begun >= timeout_s:
            raise LateError(
                f"{self.address.text}: {program} did not end within {timeout_s:g} s, stopped"
            )
        return done

    def push(self, path: Path) -> str:
        """Copy a file to the run's folder and compare its SHA-256 there.

        Returns:
            Its path on the target: the folder and the hash, with the suffix; the name on this
            machine is not used.

        Raises:
            TargetError: it did not arrive as it is, e.g. for want of space.
        """
        digest = sha256_file(path)
        suffix = path.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", path.suffix) else ""
        remote = f"{self.folder}/{digest}{suffix}"
        if remote in self._pushed:
            return remote
        size = path.stat().st_size
        seconds = SHORT_SECONDS + size / _BYTES_PER_SECOND
        try:
            self._link.send(path, remote, timeout_s=seconds)
        except LostError:
            raise
        except TargetError as error:
            raise self.error(f"cannot copy {path.name} ({size:,} bytes): {self._why(error)}") from (
                error
            )
        done = self._link.execute(shell_line(scripts.SHA256, remote), timeout_s=seconds)
        if done.status:
            raise self.error(f"cannot check {path.name}: {done.last_line()}")
        arrived = done.stdout.split(maxsplit=1)[:1]
        if arrived != [digest]:
            raise self.error(
                f"{path.name} did not arrive as it was sent: its SHA-256 there is "
                f"{arrived[0][:64] if arrived else 'unknown'}, here {digest}"
            )
        self._pushed[remote] = digest
        return remote

    def _why(self, error: TargetError) -> str:
        """The error's text, with the space that is left if that may be the reason."""
        text = str(error).removeprefix(f"{self.address.text}: ")
        try:
            line = shell_line(scripts.SPACE, self.folder)
            fields = self._link.execute(line, timeout_s=SHORT_SECONDS).stdout.split()
            return f"{text}; {int(fields[3]) * 1024:,} bytes are free there"
        except (TargetError, IndexError, ValueError):
            return text

    def pull(self, remote: str, path: Path, *, size_limit: int = PULL_LIMIT) -> None:
        """Copy a file of the run's folder to ``path``, whole or not at all.

        Raises:
            TargetError: it is not there, too large, or the connection was lost.
        """
        self._check_inside(remote)
        seconds = SHORT_SECONDS + size_limit / _BYTES_PER_SECOND
        with atomic_path(path) as temporary:
            self._link.receive(remote, temporary, timeout_s=seconds, size_limit=size_limit)

    def remove(self, remote: str) -> None:
        """Remove a file of the run's folder."""
        self._check_inside(remote)
        self._pushed.pop(remote, None)
        self.shell('rm -f -- "$1"', remote)

    def _check_inside(self, remote: str) -> None:
        folder, _, name = remote.rpartition("/")
        if folder != self.folder or name in ("", ".", ".."):
            raise UsageError(f"{remote!r} is not in the run's folder {self.folder}")

    def shell(self, script: str, *arguments: str, timeout_s: float = SHORT_SECONDS) -> str:
        """Output of a POSIX script.

        Args:
            script: constant text.
            arguments: ``$1`` and so on; taken as they are.
            timeout_s: for all of it.

        Raises:
            TargetError: it failed.
        """
        done = self._link.execute(shell_line(script, *arguments), timeout_s=timeout_s)
        if done.status:
            raise self.error(done.last_line())
        return done.stdout

    @property
    def python(self) -> str:
        """Python of ``irnet device setup``, else ``python3``; a path on the target.

        Raises:
            TargetError: there is none.
        """
        if self.address.kind == "local":
            return sys.executable
        done = self._link.execute(shell_line(scripts.PYTHON, VENV), timeout_s=SHORT_SECONDS)
        if not done.stdout.strip():
            raise self.error("has no python3; --tool-path names a program that needs none")
        return done.stdout.strip()

    def facts(self) -> Facts:
        """What the target is; read once."""
        if self._facts is None:
            python = "python3"
            with contextlib.suppress(TargetError):
                python = self.python
            try:
                self._facts = parse_facts(self.shell(FACTS_SCRIPT, python))
            except ValueError as error:
                raise self.error(f"its description cannot be read: {error}") from error
            if self.address.kind == "adb" and self._facts.product:
                self.label = f"adb:{self._facts.product}"
        return self._facts

    def conditions(self) -> CpuState:
        """How the target is doing now."""
        return parse_conditions(self.shell(STATE_SCRIPT, str(THROTTLED)))
