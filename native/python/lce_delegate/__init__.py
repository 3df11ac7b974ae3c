"""Larq Compute Engine operators for stock LiteRT and TensorFlow Lite.

    import lce_delegate
    interpreter = lce_delegate.Interpreter("model.tflite", num_threads=4)

or, with the runtime's own interpreter,

    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter("model.tflite", experimental_delegates=[lce_delegate.load()])

On the command line: ``python -m lce_delegate info|run|predict|bench``.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lce_delegate._errors import LceDelegateError, LibraryMissingError, RunError, UsageError
    from lce_delegate._interpreter import Interpreter
    from lce_delegate._library import info, library_path
    from lce_delegate._load import load, profile, reset_profile
    from lce_delegate._verify import verify

__all__ = [
    "load",
    "Interpreter",
    "library_path",
    "info",
    "profile",
    "reset_profile",
    "verify",
    "LceDelegateError",
    "UsageError",
    "LibraryMissingError",
    "RunError",
]

# Imported when first asked for: `python -m lce_delegate` runs this file before it can catch
# Ctrl-C, so nothing here may take time.
_MODULES = {
    "load": "_load",
    "profile": "_load",
    "reset_profile": "_load",
    "Interpreter": "_interpreter",
    "info": "_library",
    "library_path": "_library",
    "verify": "_verify",
    "LceDelegateError": "_errors",
    "UsageError": "_errors",
    "LibraryMissingError": "_errors",
    "RunError": "_errors",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("lce-delegate")
    except metadata.PackageNotFoundError:  # imported from a source tree
        return "unknown"
