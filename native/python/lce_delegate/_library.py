"""The shared library: where it is, and its functions of ``lce_delegate.h``."""

import ctypes
import functools
import json
import os
from pathlib import Path
from typing import Any, Callable

from lce_delegate._errors import LibraryMissingError, UsageError

NAME = "liblce_delegate.so"
VARIABLE = "LCE_DELEGATE_LIBRARY"


def library_path() -> str:
    """Path of the library, for programs that load it themselves.

    It is the one in this package, unless the environment variable ``LCE_DELEGATE_LIBRARY``
    holds the path of another.

    Raises:
        LibraryMissingError: there is no such file.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        if not Path(chosen).is_file():
            reason = "not a file" if Path(chosen).exists() else "no such file"
            raise LibraryMissingError(
                f"{VARIABLE} must be the path of {NAME}, got {chosen!r}: {reason}; unset it to "
                "use the installed package's own (pip install ./native)"
            )
        return str(Path(chosen).resolve())
    path = Path(__file__).resolve().parent / NAME
    if not path.is_file():
        raise LibraryMissingError(
            f"{NAME} is not in {path.parent}: install the package (pip install ./native), "
            f"or set {VARIABLE} to the path of a library built with CMake"
        )
    return str(path)


def info() -> dict[str, Any]:
    """What the library and this CPU can do.

    Returns:
        The object of ``lce_delegate_info``: version, architecture, CPU features, kernel sets
        with ``supported`` and ``selected``, kernels.

    Raises:
        UsageError: the library is missing or does not load here.
    """
    function = functions().lce_delegate_info
    result: dict[str, Any] = _json(function)
    return result


def functions() -> ctypes.CDLL:
    """The loaded library with the types of its functions set.

    Raises:
        UsageError: the library is missing or does not load here.
    """
    return _load(library_path())


@functools.cache
def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
        for name in ("info", "profile"):
            function = getattr(library, f"lce_delegate_{name}")
            pointer = [ctypes.c_void_p] if name == "profile" else []
            function.argtypes = [*pointer, ctypes.c_char_p, ctypes.c_size_t]
            function.restype = ctypes.c_size_t
        library.lce_delegate_reset_profile.argtypes = [ctypes.c_void_p]
        library.lce_delegate_reset_profile.restype = None
    except (OSError, AttributeError) as error:
        # the loader's own line begins with the path
        first, _, rest = str(error).partition(": ")
        reason = rest if Path(first).name == Path(path).name else str(error)
        source = f" (from {VARIABLE})" if os.environ.get(VARIABLE) else ""
        raise UsageError(f"cannot load {path}{source}: {reason}") from error
    return library


def read_profile(pointer: int) -> list[dict[str, Any]]:
    """Rows of ``lce_delegate_profile`` for the delegate at ``pointer``.

    Raises:
        UsageError: another library's delegate.
    """
    check_delegate(pointer)
    rows: list[dict[str, Any]] = _json(functions().lce_delegate_profile, pointer)
    return rows


def check_delegate(pointer: int) -> None:
    """Raise :class:`UsageError` unless the library made what is at ``pointer``."""
    if not functions().lce_delegate_profile(pointer, None, 0):
        raise UsageError(
            "delegate must be what lce_delegate.load() returned, got the delegate of another "
            "library"
        )


def _json(function: Callable[..., int], *arguments: Any) -> Any:
    """Text of a function that writes like ``snprintf``, parsed."""
    size = function(*arguments, None, 0) + 1
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, buffer, size)
    return json.loads(buffer.value.decode("utf-8"))
