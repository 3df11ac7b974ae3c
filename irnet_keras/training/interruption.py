"""Ctrl-C and SIGTERM end a training at the next step, with a checkpoint."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A training ended because it was asked to; its checkpoint is on disk."""


class Interruption:
    """Whether the training has been asked to end.

    Args:
        agree: turns this process's wish into the common one of all workers; called after every
            step by all of them.
    """

    def __init__(self, agree: Callable[[bool], bool] = lambda wish: wish) -> None:
        self._agree = agree
        self._asked = False

    def agreed(self) -> bool:
        """Whether all workers are to end now."""
        return self._agree(self._asked)

    @contextlib.contextmanager
    def watching(self, log: Callable[[str], None]) -> Iterator[None]:
        """Catch the first of ``SIGNALS``; the second one ends the process at once.

        Does nothing outside of the main thread, where Python cannot catch signals.
        """

        def asked(number: int, frame: FrameType | None) -> None:
            self._asked = True
            for one in SIGNALS:
                signal.signal(one, signal.SIG_DFL)
            log(
                f"{signal.Signals(number).name}: ending with a checkpoint after this step; "
                "once more ends at once"
            )

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, asked) for one in SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
