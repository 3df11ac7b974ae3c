"""A real sshd on loopback, with its own configuration and keys, as a board."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SSHD = "/usr/sbin/sshd"
_CHUNK = 1 << 14


@dataclass
class Proxy:
    """Forwards TCP connections to a port, and cuts them.

    Attributes:
        port: it listens on.
        cut_after: cut a connection once so many bytes have gone to the server; None: never.
        refuse: take no new connections.
        silent: keep connections open but forward nothing, as a lost radio link does.
    """

    server_port: int
    port: int = 0
    cut_after: int | None = None
    refuse: bool = False
    silent: bool = False
    _open: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Cut everything now."""
        _end(*self._open)
        self._open.clear()

    def serve(self, listener: socket.socket) -> None:
        """Until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.refuse:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.server_port))
            self._open += [client, server]
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        total = 0
        try:
            while chunk := source.recv(_CHUNK):
                total += len(chunk)
                if self.silent:
                    continue
                sink.sendall(chunk)
                if counted and self.cut_after is not None and total > self.cut_after:
                    self.cut_after = None
                    self.cut()
                    return
        except OSError:
            pass
        _end(source, sink)


def _end(*ends: socket.socket) -> None:
    """Close; a thread that reads from one would otherwise keep it open."""
    for each in ends:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    for each in ends:
        each.close()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A running proxy."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(port, listener.getsockname()[1])
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.cut()


@dataclass(frozen=True)
class Board:
    """A running board.

    Attributes:
        port: of its sshd on 127.0.0.1.
        home: for this side: HOME with the key and known_hosts.
        temporary: the board's ``TMPDIR``.
        bin: first folder of the board's ``PATH``.
        board_home: HOME there.
    """

    port: int
    home: Path
    temporary: Path
    bin: Path
    board_home: Path

    def trust(self, port: int) -> None:
        """Add the board's host key under another port."""
        known = self.home / ".ssh" / "known_hosts"
        key = known.read_text().splitlines()[0].split(maxsplit=1)[1]
        known.write_text(f"{known.read_text()}[127.0.0.1]:{port} {key}\n")

    def leftovers(self) -> list[str]:
        """Run folders that are still there, looked for until they are gone, 15 s at most."""
        until = time.monotonic() + 15
        while True:
            found = sorted(p.name for p in self.temporary.glob("irnet-*"))
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)


def make_keys(home: Path) -> None:
    """A key pair of this side."""
    folder = home / ".ssh"
    folder.mkdir(parents=True, mode=0o700)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]
    subprocess.run([*command, folder / "id_ed25519"], check=True)


@contextmanager
def running_board(folder: Path, *, tmpfs_kib: int | None = None) -> Iterator[Board]:
    """Start sshd.

    Args:
        folder: for its files.
        tmpfs_kib: make the board's ``TMPDIR`` a file system of so many KiB, in a mount
            namespace of its own; needs the right to do so.
    """
    home, there, temporary = folder / "home", folder / "board", folder / "board" / "tmp"
    make_keys(home)
    (there / "bin").mkdir(parents=True)
    temporary.mkdir()
    board_home = there / "home"
    board_home.mkdir()
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", there / "host_key"],
        check=True,
    )
    shutil.copy(home / ".ssh" / "id_ed25519.pub", there / "authorized_keys")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = there / "sshd_config"
    config.write_text(
        f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {there / "host_key"}
AuthorizedKeysFile {there / "authorized_keys"}
PidFile none
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
PrintMotd no
SetEnv TMPDIR={temporary} HOME={board_home} PATH={there / "bin"}:/usr/bin:/bin
"""
    )
    public = (there / "host_key.pub").read_text().split()
    known = home / ".ssh" / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    command = [SSHD, "-D", "-e", "-f", str(config)]
    if tmpfs_kib is not None:
        mount = f"mount -t tmpfs -o size={tmpfs_kib}k none '{temporary}' && exec \"$@\""
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", *command]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd of root insists on it
    log = there / "sshd.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stderr=file, stdin=subprocess.DEVNULL)
        try:
            _wait_for(port, process, log)
            yield Board(port, home, temporary, there / "bin", board_home)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"sshd did not start: {log.read_text()}") from error
            time.sleep(0.05)
