"""Keep native code's chatter off the terminal, but not lose it."""

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


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
