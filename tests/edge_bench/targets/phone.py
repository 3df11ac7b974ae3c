"""A device that speaks adb's own protocol over TCP, for a real adb server to connect to.

Messages as in AOSP packages/modules/adb ``protocol.txt``; services ``shell,v2,raw:`` (packets of
``shell_protocol.h``) and ``sync:`` (``SYNC.TXT``: STAT, SEND, RECV). Commands run on this machine
with an environment of their own.
"""

import contextlib
import errno
import os
import queue
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_HEADER = struct.Struct("<6I")
_VERSION, _MAX_DATA = 0x01000001, 1 << 16
_CNXN, _OPEN, _OKAY, _WRTE, _CLSE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"WRTE", b"CLSE")
)
_BANNER = (
    b"device::ro.product.name=emulated;ro.product.model=Emulated Phone;"
    b"ro.product.device=emulated;features=shell_v2,cmd,stat_v2"
)


@dataclass
class Phone:
    """The device.

    Attributes:
        root: its folders.
        path: of its shell.
        port: it listens on.
        cut_after: drop the connection after so many bytes of files or commands; None: never.
        space: bytes of files it takes before it is full; None: all.
        damage: flip a bit of each file it takes.
    """

    root: Path
    path: str
    port: int = 0
    cut_after: int | None = None
    space: int | None = None
    damage: bool = False
    _connections: list["_Connection"] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        """Where run folders are made."""
        return self.root / "data" / "local" / "tmp"

    def environment(self) -> dict[str, str]:
        """Of its shell."""
        return {"PATH": self.path, "TMPDIR": str(self.temporary), "HOME": str(self.root)}

    def cut(self) -> None:
        """Drop all connections."""
        for each in self._connections:
            each.close()

    def leftovers(self) -> list[str]:
        """Run folders that are still there, looked for until they are gone, 15 s at most."""
        until = time.monotonic() + 15
        while True:
            found = sorted(p.name for p in self.temporary.glob("irnet-*"))
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def serve(self, listener: socket.socket) -> None:
        """Until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            connection = _Connection(self, client)
            self._connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()


class _Connection:
    """One adb server's connection."""

    def __init__(self, phone: Phone, client: socket.socket) -> None:
        self.phone, self._client = phone, client
        self._lock = threading.Lock()
        self._streams: dict[int, _Stream] = {}
        self._received = 0

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        header = _HEADER.pack(
            command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF
        )
        with self._lock, contextlib.suppress(OSError):
            self._client.sendall(header + data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        self._client.close()
        for stream in list(self._streams.values()):
            stream.close()

    def run(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                command, first, second, size, _, _ = _HEADER.unpack(self._exactly(_HEADER.size))
                self._handle(command, first, second, self._exactly(size))
        self.close()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._client.recv(size - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == _CNXN:
            self.send(_CNXN, _VERSION, _MAX_DATA, _BANNER)
        elif command == _OPEN:
            number = len(self._streams) + 1
            stream = _Stream(self, number, first)
            self._streams[number] = stream
            stream.start(data.rstrip(b"\0").decode())
        elif command == _WRTE and second in self._streams:
            self._received += len(data)
            limit = self.phone.cut_after
            if limit is not None and self._received > limit:
                self.phone.cut_after = None
                raise EOFError
            self._streams[second].incoming.put(data)
            self.send(_OKAY, second, first)
        elif command == _OKAY and second in self._streams:
            self._streams[second].ready.set()
        elif command == _CLSE and second in self._streams:
            self._streams[second].close()


class _Stream:
    """One service."""

    def __init__(self, connection: _Connection, number: int, peer: int) -> None:
        self._connection, self._number, self._peer = connection, number, peer
        self.incoming: queue.Queue[bytes] = queue.Queue()
        self.ready = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._buffer = b""

    def start(self, service: str) -> None:
        name, _, rest = service.partition(":")
        known: dict[str, Callable[[], None]] = {
            "shell,v2,raw": lambda: self._shell(rest),
            "sync": self._sync,
        }
        if name not in known:
            self._connection.send(_CLSE, 0, self._peer)
            return
        self._connection.send(_OKAY, self._number, self._peer)
        self.ready.set()
        threading.Thread(target=self._serve, args=(known[name],), daemon=True).start()

    def _serve(self, service: Callable[[], None]) -> None:
        with contextlib.suppress(EOFError, OSError):
            service()
        if not self._closed:
            self._connection.send(_CLSE, self._number, self._peer)
            self.close()

    def close(self) -> None:
        self._closed = True
        self.incoming.put(b"")
        self.ready.set()

    def write(self, data: bytes) -> None:
        """In pieces, each after the last was acknowledged."""
        with self._lock:
            for start in range(0, len(data), _MAX_DATA // 2):
                self.ready.wait(30)
                if self._closed:
                    raise EOFError
                self.ready.clear()
                piece = data[start : start + _MAX_DATA // 2]
                self._connection.send(_WRTE, self._number, self._peer, piece)

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size:
            chunk = self.incoming.get()
            if not chunk:
                raise EOFError
            self._buffer += chunk
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _shell(self, command: str) -> None:
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._connection.phone.environment(),
            cwd=self._connection.phone.root,
            start_new_session=True,
        )
        pumps = [
            threading.Thread(target=self._pump, args=(pipe, kind), daemon=True)
            for kind, pipe in ((1, process.stdout), (2, process.stderr))
        ]
        feeder = threading.Thread(target=self._feed, args=(process,), daemon=True)
        for thread in (*pumps, feeder):
            thread.start()
        for thread in pumps:
            thread.join()
        status = process.wait()
        self.write(struct.pack("<BIB", 3, 1, status if status >= 0 else 128 - status))

    def _pump(self, pipe: object, kind: int) -> None:
        with contextlib.suppress(EOFError, OSError), pipe:  # type: ignore[attr-defined]
            while chunk := pipe.read1(1 << 14):  # type: ignore[attr-defined]
                self.write(struct.pack("<BI", kind, len(chunk)) + chunk)

    def _feed(self, process: "subprocess.Popen[bytes]") -> None:
        """What comes from the other side; at the end of the connection, the end of input."""
        stdin = process.stdin
        if stdin is None:
            return
        with contextlib.suppress(EOFError, OSError):
            while True:
                kind, size = struct.unpack("<BI", self.read(5))
                data = self.read(size)
                if kind == 4:
                    break
                if kind == 0:
                    stdin.write(data)
                    stdin.flush()
        with contextlib.suppress(OSError):
            stdin.close()

    def _sync(self) -> None:
        while True:
            request = self.read(4)
            (size,) = struct.unpack("<I", self.read(4))
            text = self.read(size).decode()
            if request == b"QUIT":
                return
            if request == b"SEND":
                self._take(text)
            elif request == b"RECV":
                self._give(text)
            else:
                self._fail("unknown command")
                return

    def _take(self, text: str) -> None:
        path, _, mode = text.rpartition(",")
        reason = None
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open(path, "wb"))
                Path(path).chmod(int(mode) & 0o777)
            except OSError as error:
                reason = f"couldn't create file: {error.strerror}"
            while True:
                kind = self.read(4)
                (size,) = struct.unpack("<I", self.read(4))
                if kind == b"DONE":
                    break
                data = self.read(size)
                if reason is None:
                    reason = self._store(file, data)
        if reason is None:
            self.write(b"OKAY" + struct.pack("<I", 0))
        else:
            Path(path).unlink(missing_ok=True)
            self._fail(reason)

    def _store(self, file: object, data: bytes) -> str | None:
        phone = self._connection.phone
        if phone.space is not None:
            phone.space -= len(data)
            if phone.space < 0:
                return f"write failed: {os.strerror(errno.ENOSPC)}"
        if phone.damage:
            data = bytes([data[0] ^ 1]) + data[1:]
        file.write(data)  # type: ignore[attr-defined]
        return None

    def _give(self, path: str) -> None:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            self._fail(f"open failed: {error.strerror}")
            return
        for start in range(0, len(content), _MAX_DATA):
            chunk = content[start : start + _MAX_DATA]
            self.write(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
        self.write(b"DONE" + struct.pack("<I", 0))

    def _fail(self, reason: str) -> None:
        self.write(b"FAIL" + struct.pack("<I", len(reason)) + reason.encode())


@contextmanager
def running_phone(folder: Path, path: str) -> Iterator[Phone]:
    """A listening device; not connected to any server yet."""
    phone = Phone(folder, path)
    phone.temporary.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        phone.port = listener.getsockname()[1]
        threading.Thread(target=phone.serve, args=(listener,), daemon=True).start()
        try:
            yield phone
        finally:
            phone.cut()


@contextmanager
def running_adb_server(home: Path) -> Iterator[int]:
    """A real adb server of our own on a free port of loopback; yields the port."""
    adb = shutil.which("adb")
    if adb is None:
        raise RuntimeError("needs adb: apt-get install adb")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "HOME": str(home), "ADB_MDNS": "0"}
    with (home / "adb.log").open("w") as log:
        process = subprocess.Popen(
            [adb, "-P", str(port), "server", "nodaemon"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            until = time.monotonic() + 10
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError as error:
                    if process.poll() is not None or time.monotonic() > until:
                        raise RuntimeError((home / "adb.log").read_text()) from error
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=10)
