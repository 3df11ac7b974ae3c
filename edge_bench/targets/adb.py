"""A phone over adb (adbutils): its shell protocol 2 and its file protocol, with limits."""

import contextlib
import struct
import time
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from adbutils import AdbClient, AdbDevice
from adbutils._adb import AdbConnection
from adbutils.errors import AdbError, AdbTimeout

from edge_bench.targets.address import Address
from edge_bench.targets.link import (
    BEAT,
    CONNECT_SECONDS,
    OUTPUT_LIMIT,
    Collected,
    Completed,
    LateError,
    LostError,
    TargetError,
    TooMuchError,
)
from irnet_keras.errors import UsageError

_CHUNK = 1 << 16  # the most that adb's file protocol takes at once
_PACKET = 1 << 20  # adbd's largest are below that
# Packets of shell protocol 2, AOSP packages/modules/adb shell_protocol.h.
_STDIN, _STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = range(5)
_MODE = 0o100700  # a regular file of ours alone
_STATES = {
    "unauthorized": "does not trust this computer: confirm the question on its screen",
    "offline": "is offline: connect it again",
}
_BROKEN = (AdbError, EOFError, OSError)


class AdbLink:
    """A device of the adb server; every command has a connection of its own to it."""

    default_folder = "/data/local/tmp"

    def __init__(self, address: Address) -> None:
        """Prepare.

        Args:
            address: of kind ``adb``.
        """
        self._address = address
        self._device: AdbDevice | None = None
        self._held: AdbConnection | None = None

    def open(self) -> None:
        """Find the device.

        Raises:
            UsageError: none, several, or one that is not ready or too old.
            LostError: no adb server.
        """
        try:
            client = AdbClient(socket_timeout=CONNECT_SECONDS)
            devices = {each.serial: each.state for each in client.list()}
            serial = self._choose(devices)
            device = client.device(serial)
            features = device.get_features().split(",")
        # its port is no number; what answers there is no adb; the server does not start
        except (*_BROKEN, ValueError, OverflowError, SubprocessError) as error:
            raise LostError(f"{self._address.text}: no adb server: {_reason(error)}") from error
        if "shell_v2" not in features:
            raise UsageError(
                f"{self._address.text}: its adb has no shell protocol 2 (Android 7 and newer)"
            )
        self._device = device

    def _choose(self, devices: dict[str, str]) -> str:
        serial = self._address.serial
        listed = ", ".join(devices) or "none"
        if serial is None:
            if len(devices) != 1:
                raise UsageError(
                    f"--on adb: there must be one device, or adb:SERIAL name one; found: {listed}"
                )
            (serial,) = devices
        if serial not in devices:
            raise UsageError(f"--on adb:{serial}: no such device; `adb devices` lists: {listed}")
        if devices[serial] != "device":
            text = _STATES.get(devices[serial], f"is in state {devices[serial]}")
            raise UsageError(f"{self._address.text}: the device {text}")
        return serial

    def close(self) -> None:
        """End what is held."""
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(OSError):
                held.close()
        self._device = None

    def _lost(self, error: Exception | None = None) -> LostError:
        reason = f" ({_reason(error)})" if error else ""
        return LostError(f"{self._address.text}: the connection was lost{reason}")

    def _service(self, name: str, until: float) -> AdbConnection:
        """A connection to a service of the device's adbd."""
        if self._device is None:
            raise self._lost()
        connection = self._device.open_transport(timeout=max(0.1, until - time.monotonic()))
        try:
            connection.send_command(name)
            connection.check_okay()
        except BaseException:
            connection.close()
            raise
        return connection

    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        output_limit: int = OUTPUT_LIMIT,
        stdin: Path | None = None,
        stdout: Path | None = None,
    ) -> Completed:
        """Run a line of the target's shell to its end; ``stdin`` is not supported."""
        if stdin is not None:
            raise ValueError("files go through send")
        until = time.monotonic() + timeout_s
        out, err = Collected(output_limit, stdout), Collected(output_limit)
        try:
            with contextlib.closing(self._service(f"shell,v2,raw:{command}", until)) as shell:
                shell.conn.sendall(struct.pack("<BI", _CLOSE_STDIN, 0))
                status = self._follow(shell, out, err, until)
        except TooMuchError as error:
            raise TooMuchError(f"{self._address.text}: {error}") from error
        except TargetError:
            raise
        except _BROKEN as error:
            if time.monotonic() >= until:
                raise LateError(
                    f"{self._address.text}: no end within {timeout_s:g} s, stopped"
                ) from error
            raise self._lost(error) from error
        finally:
            texts = out.close(), err.close()
        return Completed(status, *texts)

    def _follow(self, shell: AdbConnection, out: Collected, err: Collected, until: float) -> int:
        """Read packets until the exit status."""
        while True:
            kind, data = _packet(shell, until)
            if kind == _STDOUT:
                out.add(data)
            elif kind == _STDERR:
                err.add(data)
            elif kind == _EXIT:
                return data[0] if data else 1

    def hold(self, command: str, *, timeout_s: float) -> str:
        """Start a command that ends when its input does."""
        until = time.monotonic() + timeout_s
        out, err = b"", b""
        try:
            held = self._service(f"shell,v2,raw:{command}", until)
            try:
                while b"\n" not in out:
                    kind, data = _packet(held, until)
                    out += data if kind == _STDOUT else b""
                    err += data if kind == _STDERR else b""
                    if kind == _EXIT or len(out) > 1000:
                        reason = Completed(1, "", err.decode("utf-8", "replace")).last_line()
                        raise TargetError(f"{self._address.text}: {reason}")
            except BaseException:
                held.close()
                raise
        except _BROKEN as error:
            raise self._lost(error) from error
        self._held = held
        return out.split(b"\n", 1)[0].decode("utf-8", "replace").strip()

    def beat(self) -> None:
        """Write a byte to the input of what is held."""
        held = self._held
        if held is None:
            raise self._lost()
        held.conn.sendall(struct.pack("<BI", _STDIN, len(BEAT)) + BEAT)

    def release(self, *, timeout_s: float) -> None:
        """End the input of what is held, and wait for it."""
        held, self._held = self._held, None
        if held is None:
            return
        until = time.monotonic() + timeout_s
        try:
            with contextlib.closing(held):
                held.conn.sendall(struct.pack("<BI", _CLOSE_STDIN, 0))
                status = self._follow(held, Collected(1000), Collected(100_000), until)
        except _BROKEN as error:
            raise self._lost(error) from error
        if status:
            raise TargetError(f"{self._address.text}: cleaning up failed (status {status})")

    def send(self, path: Path, remote: str, *, timeout_s: float) -> None:
        """Copy a file to the target by adb's file protocol (SEND, DATA, DONE)."""
        until = time.monotonic() + timeout_s
        target = f"{remote},{_MODE}".encode()
        try:
            with contextlib.closing(self._service("sync:", until)) as sync, path.open("rb") as file:
                try:
                    sync.conn.sendall(b"SEND" + struct.pack("<I", len(target)) + target)
                    while chunk := file.read(_CHUNK):
                        sync.conn.settimeout(max(0.1, until - time.monotonic()))
                        sync.conn.sendall(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
                    sync.conn.sendall(b"DONE" + struct.pack("<I", int(time.time())))
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the device has said why, and closed
                kind, data = _packet(sync, until, "<4sI")
                if kind != b"OKAY":
                    raise self._refused(kind, data)
        except (TimeoutError, AdbTimeout) as error:
            raise LateError(f"{self._address.text}: no end within {timeout_s:g} s") from error
        except _BROKEN as error:
            raise self._lost(error) from error

    def receive(self, remote: str, path: Path, *, timeout_s: float, size_limit: int) -> None:
        """Copy a file from the target."""
        until = time.monotonic() + timeout_s
        name = remote.encode()
        into = Collected(size_limit, path)
        try:
            with contextlib.closing(self._service("sync:", until)) as sync:
                sync.conn.sendall(b"RECV" + struct.pack("<I", len(name)) + name)
                while True:
                    kind, data = _packet(sync, until, "<4sI")
                    if kind == b"DONE":
                        return
                    if kind != b"DATA":
                        raise self._refused(kind, data)
                    into.add(data)
        except (TimeoutError, AdbTimeout) as error:
            raise LateError(f"{self._address.text}: no end within {timeout_s:g} s") from error
        except _BROKEN as error:
            raise self._lost(error) from error
        finally:
            into.close()

    def _refused(self, kind: bytes, data: bytes) -> TargetError:
        """What the device says against a file."""
        if kind != b"FAIL":
            return self._lost()
        return TargetError(Completed(1, "", data.decode("utf-8", "replace")).last_line())


def _packet(service: AdbConnection, until: float, header: str = "<BI") -> tuple[Any, bytes]:
    """One packet: its kind and its data, of shell protocol 2 or of the file protocol."""
    service.conn.settimeout(max(0.1, until - time.monotonic()))
    kind, size = struct.unpack(header, service.read_exact(struct.calcsize(header)))
    if size > _PACKET:
        raise EOFError(f"a packet of {size:,} bytes")
    return kind, service.read_exact(size)


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())[:200]
    return text or type(error).__name__
