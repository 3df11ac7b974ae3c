"""A board and a phone on loopback, and the Python they have."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge_bench.targets.board import SSHD, Board, Proxy, proxy_to, running_board
from tests.edge_bench.targets.phone import Phone, running_adb_server, running_phone

ROOT = Path(__file__).resolve().parents[3]

# What the wrapper does instead of running a benchmark, once the file `fault` beside it says so:
# kind, and the number of calls that still go well. `calls` gets a line for each of them.
_FAULTS = """
here=$(dirname "$0")
case "$*" in *\\ bench\\ *)
  echo "$*" >>"$here/calls"
  read -r kind left <"$here/fault" || kind=none left=1
  if [ "$left" -gt 0 ]; then
    [ "$kind" = none ] || echo "$kind $((left - 1))" >"$here/fault"
  else
    case $kind in
      crash) kill -SEGV $$ ;;
      hang) touch "$here/hangs"; exec sleep 1000 ;;
      garbage) head -c 3000 /dev/urandom; exit 0 ;;
      flood) exec yes ;;
      partial) echo '{"samples_ms": [1.0'; exit 0 ;;
    esac
  fi ;;
esac 2>/dev/null
"""


def install_python(bin_folder: Path, library: Path) -> None:
    """This machine's Python as the target's ``python3``, with the device package."""
    package = ROOT / "native" / "python"
    _wrapper(
        bin_folder,
        f"export PYTHONPATH='{package}' LCE_DELEGATE_LIBRARY='{library}' PYTHONSAFEPATH=1\n"
        f"exec '{sys.executable}' \"$@\"\n",
    )


def install_arm_python(bin_folder: Path, arm_python: Path, library: Path | None) -> None:
    """An emulated aarch64 Python as the target's ``python3``, with LiteRT and the delegate.

    Args:
        bin_folder: where to.
        arm_python: of ``tools/arm64_userland.sh``.
        library: of the delegate; None for a Python without any packages.
    """
    tree = arm_python.parent
    emulator = shutil.which("qemu-aarch64-static") or "qemu-aarch64"
    (program,) = (tree / "usr" / "bin").glob("python3.[0-9][0-9]")
    packages = "" if library is None else f"{ROOT / 'native' / 'python'}:{tree}/opt/site"
    _wrapper(
        bin_folder,
        f"exec {emulator} -cpu cortex-a72 -0 \"$0\" -L '{tree}' -E PYTHONHOME='{tree}/usr' "
        f"-E PYTHONPATH='{packages}' -E LCE_DELEGATE_LIBRARY='{library or ''}' "
        f"-E PYTHONDONTWRITEBYTECODE=1 '{program}' \"$@\"\n",
    )
    # What `device info` reads; everything else of the board is this machine.
    script(bin_folder / "uname", '[ "$*" = -m ] && echo aarch64 || exec /bin/uname "$@"\n')
    script(
        bin_folder / "cat",
        f'[ "$*" = /proc/cpuinfo ] && exec /bin/cat \'{tree}/proc/cpuinfo\'; exec /bin/cat "$@"\n',
    )


def _wrapper(bin_folder: Path, rest: str) -> None:
    script(bin_folder / "python3", _FAULTS + rest)


def script(path: Path, text: str) -> None:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A real sshd; no Python on it yet."""
    if not Path(SSHD).exists():
        pytest.skip("needs sshd: apt-get install openssh-server")
    with running_board(tmp_path_factory.mktemp("board")) as made:
        yield made


@pytest.fixture
def at_home(board: Board, monkeypatch: pytest.MonkeyPatch) -> Board:
    """The board, with this side's keys in place and no others."""
    monkeypatch.setenv("HOME", str(board.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for name in ("fault", "calls", "hangs"):
        (board.bin / name).unlink(missing_ok=True)
    return board


@pytest.fixture
def proxy(at_home: Board) -> Iterator[Proxy]:
    """A way to the board that can be cut."""
    with proxy_to(at_home.port) as made:
        at_home.trust(made.port)
        yield made


@pytest.fixture(scope="module")
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a real adb server."""
    if shutil.which("adb") is None:
        pytest.skip("needs adb: apt-get install adb")
    with running_adb_server(tmp_path_factory.mktemp("adb")) as port:
        yield port


@pytest.fixture
def phone(adb_server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    """A phone that the server is connected to."""
    from adbutils import AdbClient

    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(adb_server))
    bin_folder = tmp_path / "phone" / "bin"
    bin_folder.mkdir(parents=True)
    path = os.pathsep.join([str(bin_folder), "/usr/bin", "/bin"])
    with running_phone(tmp_path / "phone", path) as made:
        client = AdbClient()
        assert "connected" in client.connect(f"127.0.0.1:{made.port}", timeout=10)
        yield made
        client.disconnect(f"127.0.0.1:{made.port}")
