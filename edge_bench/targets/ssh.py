"""A board over SSH (asyncssh): host keys checked; keys and agents only, no passwords."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from edge_bench.targets.address import Address
from edge_bench.targets.link import (
    BEAT,
    CONNECT_SECONDS,
    GRACE_SECONDS,
    OUTPUT_LIMIT,
    CatFiles,
    Collected,
    Completed,
    LateError,
    LostError,
    TargetError,
    TooMuchError,
)
from irnet_keras.errors import UsageError

_Result = TypeVar("_Result")
_CHUNK = 1 << 16
# A cable that was pulled is noticed after about 4 of these.
_KEEPALIVE_SECONDS = 5
_NETWORK = (OSError, asyncssh.Error, asyncio.IncompleteReadError)


class SshLink(CatFiles):
    """One connection; its events are handled in a thread of their own."""

    default_folder = "/tmp"

    def __init__(self, address: Address) -> None:
        """Prepare.

        Args:
            address: of kind ``ssh``.
        """
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._held: asyncssh.SSHClientProcess[bytes] | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            TargetError: unreachable.
            UsageError: the host's key is not known or another, or no key of ours is accepted.
        """
        asyncssh.set_log_level("ERROR")
        self._thread.start()
        where = self._address.text
        try:
            self._connection = self._wait(self._connect(), CONNECT_SECONDS)
        except asyncssh.HostKeyNotVerifiable as error:
            raise UsageError(
                f"{where}: its host key is not the one in ~/.ssh/known_hosts, or there is none: "
                f"connect once with ssh and compare the fingerprint ({error.reason})"
            ) from error
        except asyncssh.PermissionDenied as error:
            raise UsageError(
                f"{where}: no key of the agent or ~/.ssh is accepted there (ssh-copy-id adds one; "
                "passwords are not taken)"
            ) from error
        except (asyncssh.ConfigParseError, asyncssh.KeyImportError) as error:
            raise UsageError(f"{where}: ~/.ssh: {error}") from error
        # known_hosts that cannot be read; a name no host can have; a ProxyJump through itself
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{where}: bad host name or file in ~/.ssh: {error}") from error
        except LateError as error:
            raise LostError(f"{where}: no answer within {CONNECT_SECONDS:g} s") from error
        except _NETWORK as error:
            raise LostError(f"{where}: cannot connect: {_reason(error)}") from error

    async def _connect(self) -> asyncssh.SSHClientConnection:
        address = self._address
        home = Path.home() / ".ssh"
        known = [str(home / "known_hosts"), "/etc/ssh/ssh_known_hosts"]
        chosen: dict[str, Any] = {
            name: value
            for name, value in (("username", address.user), ("port", address.port))
            if value is not None
        }
        config = home / "config"
        return await asyncssh.connect(
            address.host or "",
            **chosen,
            config=[str(config)] if config.is_file() else None,
            # Given explicitly, so that no configuration can switch the check off.
            known_hosts=[path for path in known if os.path.isfile(path)] or ([], [], []),  # noqa: PTH113
            preferred_auth=("publickey",),
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            keepalive_interval=_KEEPALIVE_SECONDS,
            login_timeout=CONNECT_SECONDS,
            connect_timeout=CONNECT_SECONDS,
        )

    def close(self) -> None:
        """End the connection and the thread."""
        if not self._thread.is_alive():
            return
        self._held = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection_closed = self._closed(connection)
            with contextlib.suppress(TargetError, *_NETWORK):
                self._wait(connection_closed, 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()

    @staticmethod
    async def _closed(connection: asyncssh.SSHClientConnection) -> None:
        connection.close()
        await connection.wait_closed()

    def _wait(self, work: Coroutine[Any, Any, _Result], timeout_s: float) -> _Result:
        """Result of a coroutine that runs in the thread; Ctrl-C cancels it."""

        async def limited() -> _Result:
            return await asyncio.wait_for(work, timeout_s)

        future = asyncio.run_coroutine_threadsafe(limited(), self._loop)
        try:
            return future.result()
        except TimeoutError as error:
            raise LateError(
                f"{self._address.text}: no end within {timeout_s:g} s, stopped"
            ) from error
        except BaseException:
            future.cancel()
            raise

    def _lost(self, error: Exception | None = None) -> LostError:
        reason = f" ({_reason(error)})" if error else ""
        return LostError(f"{self._address.text}: the connection was lost{reason}")

    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        output_limit: int = OUTPUT_LIMIT,
        stdin: Path | None = None,
        stdout: Path | None = None,
    ) -> Completed:
        """Run a line of the target's shell to its end."""
        out, err = Collected(output_limit, stdout), Collected(output_limit)
        try:
            status = self._wait(self._execute(command, stdin, out, err), timeout_s)
        except TooMuchError as error:
            raise TooMuchError(f"{self._address.text}: {error}") from error
        except _NETWORK as error:
            raise self._lost(error) from error
        finally:
            texts = out.close(), err.close()
        return Completed(status, *texts)

    async def _execute(
        self, command: str, stdin: Path | None, out: Collected, err: Collected
    ) -> int:
        if self._connection is None:
            raise self._lost()
        process = await self._connection.create_process(command, encoding=None)
        try:
            reading = [_read(process.stdout, out), _read(process.stderr, err)]
            await asyncio.gather(_feed(process.stdin, stdin), *reading)
            await process.wait_closed()
        finally:
            process.close()
        if process.exit_signal is not None:
            return 128 + getattr(signal, f"SIG{process.exit_signal[0]}", signal.SIGTERM)
        if process.exit_status is None:
            raise self._lost()
        return process.exit_status

    def hold(self, command: str, *, timeout_s: float) -> str:
        """Start a command that ends when its input does."""
        try:
            return self._wait(self._hold(command), timeout_s)
        except _NETWORK as error:
            raise self._lost(error) from error

    async def _hold(self, command: str) -> str:
        if self._connection is None:
            raise self._lost()
        held = await self._connection.create_process(command, encoding=None)
        line = (await held.stdout.readline()).decode("utf-8", "replace").strip()
        if not line:
            text = (await held.stderr.read(1000)).decode("utf-8", "replace")
            raise TargetError(f"{self._address.text}: {Completed(1, '', text).last_line()}")
        self._held = held
        return line

    def beat(self) -> None:
        """Write a byte to the input of what is held."""
        held = self._held
        if held is None:
            raise self._lost()
        self._wait(_write(held.stdin, BEAT), GRACE_SECONDS)

    def release(self, *, timeout_s: float) -> None:
        """End the input of what is held, and wait for it."""
        held, self._held = self._held, None
        if held is None:
            return
        try:
            status = self._wait(self._release(held), timeout_s)
        except _NETWORK as error:
            raise self._lost(error) from error
        if status is None:
            raise self._lost()
        if status:
            raise TargetError(f"{self._address.text}: cleaning up failed (status {status})")

    @staticmethod
    async def _release(held: "asyncssh.SSHClientProcess[bytes]") -> int | None:
        held.stdin.write_eof()
        await held.wait_closed()
        return held.exit_status


async def _write(stream: "asyncssh.SSHWriter[bytes]", data: bytes) -> None:
    stream.write(data)


async def _read(stream: "asyncssh.SSHReader[bytes]", into: Collected) -> None:
    while chunk := await stream.read(_CHUNK):
        into.add(chunk)


async def _feed(stream: "asyncssh.SSHWriter[bytes]", path: Path | None) -> None:
    """Write a file; the program may end before it has read all, which its status tells."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if path is not None:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    stream.write(chunk)
                    await stream.drain()
        stream.write_eof()


def _reason(error: BaseException) -> str:
    """One line without addresses that asyncssh may add."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__
