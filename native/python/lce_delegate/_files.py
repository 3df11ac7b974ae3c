"""Files of the command line: ``.npy`` arrays in, arrays and JSON out."""

import io
import json
import os
import stat
import tokenize
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lce_delegate._errors import UsageError

STDOUT = "-"
# What NumPy raises for headers that are none.
_NOT_NPY = (ValueError, EOFError, OverflowError, TypeError, SyntaxError, tokenize.TokenError,
            zipfile.BadZipFile)  # fmt: skip
_MAGIC = b"\x93NUMPY"


def read_npy(path: str) -> NDArray[Any]:
    """Array of numbers of a file, in this machine's byte order; read when it is used.

    Raises:
        UsageError: missing, unreadable, not an array of numbers.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # a pipe might never end
            raise UsageError(f"cannot read {path}: not a regular file")
        with open(path, "rb") as file:
            named = file.read(len(_MAGIC)) == _MAGIC
        value = np.load(path, mmap_mode="r", allow_pickle=False)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except _NOT_NPY as error:
        reason = "not a .npy file of numbers"
        if named and "Python objects" not in str(error):
            reason = "truncated or damaged .npy file"
        raise UsageError(f"{path}: {reason}") from error
    if not isinstance(value, np.ndarray):
        value.close()
        raise UsageError(f"{path}: not a .npy file but an archive of several")
    if value.dtype.kind not in "biufc":
        what = "text" if value.dtype.kind in "US" else f"values of type {value.dtype}"
        raise UsageError(f"{path}: not a .npy file of numbers: it holds {what}")
    return value.astype(value.dtype.newbyteorder("="), copy=False)


def write_npy(path: str, value: NDArray[Any]) -> None:
    """Write an array, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=False)
    _replace(path, buffer.getvalue())


def json_text(value: Any) -> str:
    """Indented JSON with a line end."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def write_json(path: str, value: Any) -> None:
    """Write JSON, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    _replace(path, json_text(value).encode())


def check_outputs(outputs: Sequence[tuple[str, str]], inputs: Sequence[tuple[str, str]]) -> None:
    """Find what cannot or must not be written before any work is done.

    Args:
        outputs: option and path of each file that will be written; ``-`` is no file.
        inputs: option and path of each file that will be read.

    Raises:
        UsageError: a path names a folder, is in none that can be written, or is also that of an
            input or of another output.
    """
    taken = list(inputs)
    for option, path in outputs:
        if path == STDOUT:
            continue
        _check_writable(option, path)
        for other, used in taken:
            if _same_file(path, used):
                raise UsageError(f"{option} {path} would overwrite {other} {used}")
        taken.append((option, path))


def _check_writable(option: str, path: str) -> None:
    try:
        if not path or Path(path).is_dir():
            raise UsageError(f"{option} must be a file, got {path!r}")
        target = _target(path)
    except ValueError as error:  # UsageError is one, too
        raise UsageError(f"{option} must be a file, got {path!r}") from error
    if not target.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {target.parent}")
    if _is_special(target):
        if not os.access(target, os.W_OK):
            raise UsageError(f"{option} {path}: not writable")
    elif not os.access(target.parent, os.W_OK):
        raise UsageError(f"{option} {path}: folder {target.parent} is not writable")


def _same_file(path: str, other: str) -> bool:
    """Whether writing ``path`` loses ``other``; devices and pipes hold nothing to lose."""
    if _is_special(Path(path)):
        return False
    try:
        return os.path.realpath(path) == os.path.realpath(other) or Path(path).samefile(other)
    except (OSError, ValueError):  # one of them does not exist
        return False


def _target(path: str) -> Path:
    """Where a path leads; links to files are followed, as the shell's redirection does."""
    return Path(path) if _is_special(Path(path)) else Path(os.path.realpath(path))


def _is_special(path: Path) -> bool:
    """Whether a path is that of a device or a pipe, which no file may take the place of."""
    return path.exists() and not path.is_file()


def _replace(path: str, content: bytes) -> None:
    target = _target(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if _is_special(target):
            target.write_bytes(content)
            return
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        if temporary.exists():
            temporary.unlink()
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
