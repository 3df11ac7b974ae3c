"""Where the delegate is and what it can do."""

import ctypes
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.native.children import python


class LibraryMissingError(RuntimeError):
    """There is no delegate library to test."""


def library_path() -> Path:
    """``LCE_DELEGATE_LIBRARY``, else the library of the ``lce_delegate`` package.

    Raises:
        LibraryMissingError: neither leads to a file.
    """
    named = os.environ.get("LCE_DELEGATE_LIBRARY")
    if named:
        if not Path(named).is_file():
            raise LibraryMissingError(f"LCE_DELEGATE_LIBRARY={named} is not a file")
        return Path(named).resolve()
    try:
        import lce_delegate
    except ImportError as error:
        raise LibraryMissingError(
            "no delegate library: set LCE_DELEGATE_LIBRARY or install lce_delegate"
        ) from error
    try:
        return Path(lce_delegate.library_path())
    except (OSError, RuntimeError) as error:
        raise LibraryMissingError(f"lce_delegate has no library: {error}") from error


def library_info(library: Path) -> dict[str, Any]:
    """What ``lce_delegate_info`` says; asked in a child process, which may crash."""
    code = "import sys; from tests.native.library import _info; print(_info(sys.argv[1]))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        python("-c", code, library), capture_output=True, text=True, check=True, cwd=root
    )
    info: dict[str, Any] = json.loads(done.stdout)
    return info


def _info(library: str) -> str:
    function = ctypes.CDLL(library).lce_delegate_info
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    buffer = ctypes.create_string_buffer(function(None, 0) + 1)
    function(buffer, len(buffer))
    return buffer.value.decode()
