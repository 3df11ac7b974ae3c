"""Results on stdout, everything else on stderr."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write, is_special

if TYPE_CHECKING:
    from irnet_keras.training.strategies import Devices

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON to this file, - for stdout.")
]


def log(line: str) -> None:
    """A progress line or warning, on stderr."""
    print(line, file=sys.stderr, flush=True)


def plain(text: str) -> str:
    """Text from a file of others without the control characters that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


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


def check_files(
    outputs: Sequence[tuple[str, Path | None]], inputs: Sequence[tuple[str, str | Path]] = ()
) -> None:
    """Refuse output paths that cannot or must not be written, before the slow work starts.

    Args:
        outputs: option and path of what will be written; None and ``-`` are no files.
        inputs: argument and path of what will be read; names that are no files are skipped.

    Raises:
        UsageError: the folder is missing or not writable, or the path is a folder, an input or
            another output.
    """
    taken = [(argument, Path(path)) for argument, path in inputs if os.path.lexists(path)]
    for option, path in outputs:
        if path is None or str(path) == "-":
            continue
        _check_writable(path)
        for other, used in taken:
            if _would_lose(path, used):
                raise UsageError(f"{option} {path} would overwrite {other} {used}")
        taken.append((option, path))


def _check_writable(path: Path) -> None:
    try:
        if path.is_dir():
            raise UsageError(f"cannot write {path}: it is a folder")
        if is_special(path):
            return
        folder = Path(os.path.realpath(path)).parent
    except ValueError as error:  # a zero byte
        raise UsageError(f"cannot write {str(path)!r}: not a path") from error
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {path}: folder {folder} is not writable")


def _would_lose(path: Path, used: Path) -> bool:
    """Whether writing ``path`` changes ``used``, a file or a folder of files."""
    if is_special(path):
        return False
    target, source = Path(os.path.realpath(path)), Path(os.path.realpath(used))
    if target == source or (target.exists() and source.is_dir() and source in target.parents):
        return True
    return target.exists() and source.exists() and target.samefile(source)


@contextlib.contextmanager
def _stderr_kept_back() -> Iterator[None]:
    """Hold back what C++ code writes to stderr; show it only if the body fails."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except UsageError:
            raise
        except Exception:
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


def start_devices(strategy: str) -> "Devices":
    """As :func:`import_tensorflow`, for a strategy of :mod:`irnet_keras.training.strategies`.

    Raises:
        UsageError: unknown strategy, or no devices for it.
    """
    import irnet_keras  # noqa: F401

    if os.environ.get("TF_CONFIG") and strategy in ("auto", "multiworker"):
        log("joining the workers of TF_CONFIG")
    with _stderr_kept_back():
        from irnet_keras.training.strategies import choose_devices

        return choose_devices(strategy)
