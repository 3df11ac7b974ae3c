"""Calls of a tool whose raw logs are kept, so that an interrupted benchmark can go on."""

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge_bench.remote_tools import Ready
from edge_bench.targets import Target, TargetError
from edge_bench.tools import ModelFile, ToolOptions, ToolResult
from irnet_keras.errors import CheckFailed, IrnetError, UsageError
from irnet_keras.files import atomic_write, make_folder

_LOG = re.compile(r"[0-9a-f]{24}(-failed)?\.log")
_SHOWN = 200_000  # characters of a failed call's output that are kept


@contextlib.contextmanager
def temporary_logs() -> Iterator[Path]:
    """A folder for logs that stays only if there is an error and a log."""
    folder = Path(tempfile.mkdtemp(prefix="irnet-logs-"))
    try:
        yield folder
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise
    shutil.rmtree(folder, ignore_errors=True)


def log_name(target: Target, ready: Ready, command: Sequence[str], number: int) -> str:
    """What a call's log is found by again: where, what and which round.

    The command has the model, the delegate and all options in it; files are named by SHA-256.
    """
    words = [word.replace(f"{target.folder}/", "") for word in command]
    text = json.dumps([target.address.text, ready.identity, words, number])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Logs:
    """A folder of raw logs, one per finished call.

    Attributes:
        folder: where they are.
        reused: calls that were not made again.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        """Open.

        Args:
            folder: made if it is missing.
            resume: keep and use what is there; otherwise earlier logs are removed.
        """
        self.folder = make_folder(folder)
        self.reused = 0
        if not resume:
            for path in folder.iterdir():
                if _LOG.fullmatch(path.name):
                    path.unlink()

    def path(self, name: str) -> Path:
        """Log of a finished call."""
        return self.folder / f"{name}.log"

    def failed(self, name: str) -> Path:
        """Log of a failed call."""
        return self.folder / f"{name}-failed.log"


def call(
    target: Target,
    ready: Ready,
    options: ToolOptions,
    number: int,
    remote: str,
    model: ModelFile,
    logs: Logs,
    timeout_s: float,
    log: Callable[[str], None] = lambda line: None,
) -> ToolResult:
    """One call of a tool, or its log of an earlier time.

    Args:
        target: where.
        ready: what.
        options: of the call.
        number: of the round; -1 for the profile.
        remote: path of the model on the target.
        model: what it must be.
        logs: where the log goes.
        timeout_s: the tool is stopped after so many seconds.
        log: receives a line when an earlier log cannot be used.

    Raises:
        CheckFailed: the tool failed, or its output is not as known; names the raw log.
    """
    tool = ready.tool
    command = tool.argv(remote, options)
    name = log_name(target, ready, command, number)
    path, failed = logs.path(name), logs.failed(name)
    if path.is_file():
        try:
            result = tool.parse(path.read_text(encoding="utf-8"), path, model)
        except (OSError, UnicodeDecodeError, CheckFailed) as error:
            log(f"warning: {path.name} of an earlier run cannot be used: {error}")
        else:
            logs.reused += 1
            return result
    done = target.run(command, timeout_s=timeout_s)
    if done.status:
        atomic_write(failed, f"{done.stdout[-_SHOWN:]}\n--- stderr\n{done.stderr[-_SHOWN:]}")
        raise target.error(f"{tool.name} {_ending(done.status)}: {done.last_line()}; log: {failed}")
    # The C++ tools write their log to standard output or, in some versions, to standard error.
    text = done.stdout if tool.samples_are_runs else f"{done.stderr}\n{done.stdout}"
    try:
        result = tool.parse(text, failed, model)
    except CheckFailed as error:
        atomic_write(failed, f"{done.stdout[-_SHOWN:]}\n--- stderr\n{done.stderr[-_SHOWN:]}")
        raise target.error(str(error)) from error
    atomic_write(path, text)
    failed.unlink(missing_ok=True)
    return result


def _ending(status: int) -> str:
    if status == 126:
        return "cannot be run there (is it for another machine?)"
    if status == 127:
        return "is not there, or a program it needs is not"
    if status > 128:
        return f"crashed (signal {status - 128})"
    return f"ended with status {status}"


def joined(errors: list[IrnetError]) -> IrnetError:
    """One error of several; a usage error only if all are."""
    text = "; ".join(str(error) for error in errors)
    kind = UsageError if all(isinstance(e, UsageError) for e in errors) else TargetError
    return kind(text)
