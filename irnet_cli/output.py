"""Results on stdout, everything else on stderr."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON to this file, - for stdout.")
]


def log(line: str) -> None:
    """A progress line or warning, on stderr."""
    print(line, file=sys.stderr, flush=True)


def write_json(path: Path | None, value: Any) -> bool:
    """Write ``value`` where ``--json`` asks for it; True if that was stdout."""
    if path is None:
        return False
    text = json.dumps(value, indent=2) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return True
    atomic_write(path, text)
    return False


def check_writable(*paths: Path | None) -> None:
    """Refuse output paths that cannot be written, before the slow work starts.

    Raises:
        UsageError: the folder is missing or not writable, or the path is a folder.
    """
    for path in paths:
        if path is None or str(path) == "-":
            continue
        folder = path.absolute().parent
        if not folder.is_dir():
            raise UsageError(f"cannot write {path}: folder {folder} does not exist")
        if path.is_dir():
            raise UsageError(f"cannot write {path}: it is a folder")
        if not os.access(folder, os.W_OK):
            raise UsageError(f"cannot write {path}: folder {folder} is not writable")


@contextlib.contextmanager
def _stderr_kept_back() -> Iterator[None]:
    """Hold back what C++ code writes to stderr; show it only if the body raises."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(original, kept.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def import_tensorflow() -> None:
    """Import TensorFlow and start its devices without its greetings on stderr."""
    import irnet_keras  # noqa: F401

    with _stderr_kept_back():
        import tensorflow as tf

        tf.config.list_logical_devices()
