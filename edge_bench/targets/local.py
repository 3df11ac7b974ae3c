"""This machine as a target, by the same commands as a remote one."""

import os
import selectors
import subprocess
import time
from pathlib import Path

from edge_bench.targets.link import (
    BEAT,
    OUTPUT_LIMIT,
    CatFiles,
    Collected,
    Completed,
    LateError,
    TargetError,
    TooMuchError,
)

_CHUNK = 1 << 16
_ON = "local"


class LocalLink(CatFiles):
    """Child processes."""

    default_folder = "/tmp"

    def __init__(self) -> None:
        """Nothing to prepare."""
        self._held: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """End what is held."""
        held, self._held = self._held, None
        if held is None:
            return
        for pipe in (held.stdin, held.stdout, held.stderr):
            if pipe is not None:
                pipe.close()
        try:
            held.wait(timeout=10)  # it cleans up
        except subprocess.TimeoutExpired:
            held.kill()
            held.wait()

    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        output_limit: int = OUTPUT_LIMIT,
        stdin: Path | None = None,
        stdout: Path | None = None,
    ) -> Completed:
        """Run a line of the shell to its end."""
        until = time.monotonic() + timeout_s
        source = stdin.open("rb") if stdin else subprocess.DEVNULL
        out, err = Collected(output_limit, stdout), Collected(output_limit)
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the other
        )
        try:
            with selectors.DefaultSelector() as selector:
                for pipe, sink in ((process.stdout, out), (process.stderr, err)):
                    if pipe is not None:
                        selector.register(pipe, selectors.EVENT_READ, sink)
                while selector.get_map():
                    ready = selector.select(max(0.0, until - time.monotonic()))
                    if not ready:
                        raise LateError(f"{_ON}: no end within {timeout_s:g} s, stopped")
                    for key, _ in ready:
                        chunk = key.fileobj.read1(_CHUNK)  # type: ignore[union-attr]
                        if chunk:
                            key.data.add(chunk)
                        else:
                            selector.unregister(key.fileobj)
            status = process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise LateError(f"{_ON}: no end within {timeout_s:g} s, stopped") from error
        except TooMuchError as error:
            raise TooMuchError(f"{_ON}: {error}") from error
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
            if not isinstance(source, int):
                source.close()
            texts = out.close(), err.close()
        return Completed(status if status >= 0 else 128 - status, *texts)

    def hold(self, command: str, *, timeout_s: float) -> str:
        """Start a command that ends when its input does."""
        self._held = held = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if held.stdout is None or held.stderr is None:
            raise TargetError(f"{_ON}: no pipes")
        line = held.stdout.readline().decode("utf-8", "replace").strip()
        if not line:
            text = held.stderr.read(1000).decode("utf-8", "replace")
            raise TargetError(f"{_ON}: {Completed(1, '', text).last_line()}")
        return line

    def beat(self) -> None:
        """Write a byte to the input of what is held."""
        held = self._held
        if held is None or held.stdin is None:
            raise TargetError(f"{_ON}: nothing is held")
        os.write(held.stdin.fileno(), BEAT)

    def release(self, *, timeout_s: float) -> None:
        """End the input of what is held, and wait for it."""
        held, self._held = self._held, None
        if held is None:
            return
        try:
            _, text = held.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            held.kill()
            held.communicate()
            raise LateError(f"{_ON}: cleaning up took more than {timeout_s:g} s") from error
        if held.returncode:
            reason = Completed(1, "", text.decode("utf-8", "replace")).last_line()
            raise TargetError(f"{_ON}: cleaning up failed: {reason}")
