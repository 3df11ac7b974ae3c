"""The installed runtime: LiteRT, else tflite-runtime, else TensorFlow's."""

import functools
import importlib
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Callable

from lce_delegate._errors import UsageError


@dataclass(frozen=True)
class Runtime:
    """A runtime with its interpreter class and its loader of delegates."""

    name: str
    version: str
    interpreter: Callable[..., Any]
    load_delegate: Callable[..., Any]


_CANDIDATES = {
    "LiteRT": ("ai-edge-litert", "ai_edge_litert.interpreter"),
    "tflite-runtime": ("tflite-runtime", "tflite_runtime.interpreter"),
    "TensorFlow": ("tensorflow", "tensorflow"),
}


@functools.cache
def runtime() -> Runtime:
    """The first runtime that can be imported.

    Raises:
        UsageError: there is none; the line says what went wrong with each.
    """
    reasons = []
    for name, (distribution, module) in _CANDIDATES.items():
        try:
            library: Any = importlib.import_module(module)
            if name == "TensorFlow":
                loader = library.lite.experimental.load_delegate
                library = library.lite
            else:
                loader = library.load_delegate
            interpreter = library.Interpreter
        except (ImportError, AttributeError) as error:
            reason = str(error).partition("\n")[0]
            reasons.append(f"{distribution}: {reason}")
            continue
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:  # e.g. tensorflow-cpu
            version = "unknown"
        return Runtime(name, version, interpreter, loader)
    raise UsageError(
        f"no TensorFlow Lite runtime: pip install ai-edge-litert ({'; '.join(reasons)})"
    )
