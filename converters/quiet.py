"""Keep native code's chatter off the terminal, but not lose it."""

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator

from irnet_keras.errors import CheckFailed, first_line


@contextlib.contextmanager
def captured_output() -> Iterator[list[str]]:
    """Redirect file descriptors 1 and 2; the list holds their lines after the block.

    Native converters write to the descriptors, not to ``sys.stderr``. Python warnings are
    appended too. Everything is restored when the block raises.
    """
    lines: list[str] = []
    with tempfile.TemporaryFile() as log, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sys.stdout.flush()
        sys.stderr.flush()
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            yield lines
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
            log.seek(0)
            lines += log.read().decode(errors="replace").splitlines()
            lines += [str(w.message) for w in caught]


def convert_quietly(converter: str, work: Callable[[], bytes], log: Callable[[str], None]) -> bytes:
    """Run a native converter without its chatter; show that only if it fails.

    Args:
        converter: name for the message.
        work: the conversion.
        log: receives the converter's own lines on failure.

    Raises:
        CheckFailed: the converter failed.
    """
    failure: Exception | None = None
    data = b""
    with captured_output() as lines:
        try:
            data = work()
        except Exception as error:  # noqa: BLE001  (converters raise bare Exception)
            failure = error
    if failure is not None:
        for line in lines:
            log(line)
        reason = first_line(failure)
        raise CheckFailed(f"{converter} could not convert the model: {reason}") from failure
    return data
