"""Progress of a conversion: one line per stage, with seconds."""

import contextlib
import time
from collections.abc import Callable, Iterator

Progress = Callable[[str], None]


@contextlib.contextmanager
def stage(name: str, progress: Progress) -> Iterator[None]:
    """Say that a stage begins, and how long it took.

    Args:
        name: of the stage.
        progress: receives the lines.
    """
    progress(f"{name} ...")
    begun = time.perf_counter()
    yield
    progress(f"{name}: {time.perf_counter() - begun:.1f} s")
