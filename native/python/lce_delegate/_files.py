"""Files of the command line: ``.npy`` arrays in, arrays and JSON out."""

import io
import json
import os
import tokenize
import zipfile
from pathlib import Path
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from lce_delegate._errors import UsageError

# What NumPy raises for headers that are none.
_NOT_NPY = (ValueError, EOFError, OverflowError, TypeError, SyntaxError, tokenize.TokenError,
            zipfile.BadZipFile)  # fmt: skip


def read_npy(path: str) -> NDArray[Any]:
    """Array of a file; the data is read when it is used.

    Raises:
        UsageError: missing, unreadable, not an array of numbers.
    """
    try:
        value = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except _NOT_NPY as error:
        raise UsageError(f"{path}: not a .npy file of numbers") from error
    if not isinstance(value, np.ndarray):
        value.close()
        raise UsageError(f"{path}: not a .npy file but an archive of several")
    return value


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


def check_writable(argument: str, path: Optional[str]) -> None:
    """Find a path that cannot be written before the work is done.

    Raises:
        UsageError: it names a folder, or is in none that exists.
    """
    if path is None:
        return
    if not path or Path(path).is_dir():
        raise UsageError(f"{argument} must be a file, got {path!r}")
    if not Path(path).parent.is_dir():
        raise UsageError(f"{argument} {path}: there is no folder {Path(path).parent}")


def _replace(path: str, content: bytes) -> None:
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.exists() and not target.is_file():  # e.g. /dev/null: not to be replaced
            target.write_bytes(content)
            return
        temporary.write_bytes(content)
        temporary.replace(target)
    except OSError as error:
        if temporary.exists():
            temporary.unlink()
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
