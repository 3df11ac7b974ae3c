"""Larq Compute Engine operators for stock LiteRT and TensorFlow Lite.

    import lce_delegate
    interpreter = lce_delegate.Interpreter("model.tflite", num_threads=4)

or, with the runtime's own interpreter,

    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter("model.tflite", experimental_delegates=[lce_delegate.load()])

On the command line: ``python -m lce_delegate info|run|bench``.
"""

from importlib import metadata

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

try:
    __version__ = metadata.version("lce-delegate")
except metadata.PackageNotFoundError:  # imported from a source tree
    __version__ = "unknown"
