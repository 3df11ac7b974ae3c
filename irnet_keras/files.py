"""Writing files so that a crash never leaves half of one."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from irnet_keras.errors import UsageError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary name in the folder of ``path``; move it to ``path`` on success.

    A link is followed, as the shell's redirection does.

    The file is synced to disk before it takes its place and the folder afterwards. If the
    body raises, the temporary file is removed and an existing ``path`` stays as it was.

    Raises:
        UsageError: the folder is missing or cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        fd, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=f".tmp{target.suffix}", dir=target.parent
        )
        os.close(fd)
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror} (folder {target.parent})"
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as f:
            os.fsync(f.fileno())
        if target.is_dir():
            raise UsageError(f"cannot write {target}: it is a folder")
        temporary.replace(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Replace ``path`` with ``data`` (text is UTF-8) in one step; a device is written to.

    Raises:
        UsageError: the folder is missing, or the file cannot be written.
    """
    content = data.encode() if isinstance(data, str) else data
    try:
        if is_special(path):
            Path(path).write_bytes(content)
            return
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a device or a pipe, which no file may take the place of."""
    found = Path(path)
    return found.exists() and not found.is_file() and not found.is_dir()


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents; a clear error when that is not possible."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot create folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"folder {folder} is not writable")
    return folder


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hex SHA-256 of a file."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
