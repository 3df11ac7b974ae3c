"""Calls of a tool whose raw logs are kept, so that an interrupted benchmark can go on."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_bench.targets import Target, TargetError
from edge_bench.tools import ModelFile, Tool, ToolOptions, ToolResult
from irnet_keras.errors import CheckFailed, IrnetError, UsageError
from irnet_keras.files import atomic_write, make_folder

_LOG = re.compile(r"[0-9a-f]{24}(-failed)?\.log")
_SHOWN = 200_000  # characters of a failed call's output that are kept


@dataclass(frozen=True)
class CallKey:
    """What a call's log is found by again.

    Attributes:
        target: address.
        tool: name and SHA-256 or version.
        model: SHA-256.
        options: of the call.
        number: of the round; -1 for the profile.
    """

    target: str
    tool: str
    model: str
    options: ToolOptions
    number: int

    @property
    def file(self) -> str:
        """Name of the log without suffix."""
        text = json.dumps([self.target, self.tool, self.model, repr(self.options), self.number])
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

    def path(self, key: CallKey) -> Path:
        """Log of a finished call."""
        return self.folder / f"{key.file}.log"

    def failed(self, key: CallKey) -> Path:
        """Log of a failed call."""
        return self.folder / f"{key.file}-failed.log"


def call(
    target: Target,
    tool: Tool,
    key: CallKey,
    remote: str,
    model: ModelFile,
    logs: Logs,
    timeout_s: float,
    log: Callable[[str], None] = lambda line: None,
) -> ToolResult:
    """One call of a tool, or its log of an earlier time.

    Args:
        target: where.
        tool: what.
        key: of the log.
        remote: path of the model on the target.
        model: what it must be.
        logs: where the log goes.
        timeout_s: the tool is stopped after so many seconds.
        log: receives a line when an earlier log cannot be used.

    Raises:
        CheckFailed: the tool failed, or its output is not as known; names the raw log.
    """
    path = logs.path(key)
    if path.is_file():
        try:
            result = tool.parse(path.read_text(encoding="utf-8"), path, model)
        except (OSError, UnicodeDecodeError, CheckFailed) as error:
            log(f"warning: {path.name} of an earlier run cannot be used: {error}")
        else:
            logs.reused += 1
            return result
    done = target.run(tool.argv(remote, key.options), timeout_s=timeout_s)
    failed = logs.failed(key)
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
