"""The profiler's tables: columns are those of the bracketed header, which versions change."""

import re
from pathlib import Path

from edge_bench.tools.tool import LogError, OpTime

_RUN_ORDER = re.compile(r"^=+ Run Order =+$")
_HEADER = re.compile(r"\[([^\]]+)\]")
_NODE = re.compile(r"^(.*?):(\d+)$")


def read_profile(lines: list[str], log: str | Path) -> tuple[OpTime, ...]:
    """Operators of the table ``Run Order``.

    A value is the mean of one call; operators of a delegate may have several calls per run.

    Args:
        lines: from behind the banner of the timed runs.
        log: where the output is kept, for messages.

    Raises:
        LogError: no table, a column is missing, or a row does not fit the header.
    """
    start = next((i for i, line in enumerate(lines) if _RUN_ORDER.match(line.strip())), None)
    if start is None or start + 1 >= len(lines):
        raise LogError(f"the profile has no table 'Run Order'; raw log: {log}")
    columns = _HEADER.findall(lines[start + 1])
    numbers = columns[1:-1]
    if columns[:1] != ["node type"] or columns[-1:] != ["Name"] or "avg ms" not in numbers:
        raise LogError(f"the profile's columns {columns} are not as known; raw log: {log}")
    row = re.compile(r"^\s*(\S.*?)\s+" + r"\s+".join(map(_cell, numbers)) + r"\s+(\S.*?)\s*$")
    found: list[tuple[str, str, float]] = []
    for line in lines[start + 2 :]:
        if not line.strip():
            break
        match = row.match(line)
        if not match:
            raise LogError(
                f"the profile's row {line.strip()!r} does not fit its header; raw log: {log}"
            )
        values = dict(zip(numbers, match.groups()[1:-1], strict=True))
        calls = float(values.get("times called", "1"))
        found.append((match[1], match[match.lastindex or 0], float(values["avg ms"]) * calls))
    if not found:
        raise LogError(f"the profile's table 'Run Order' is empty; raw log: {log}")
    total = sum(ms for _, _, ms in found)
    if total <= 0:
        raise LogError(f"the profile's times are all 0; raw log: {log}")
    return tuple(_op(kind, name, ms, ms / total) for kind, name, ms in found)


def _cell(column: str) -> str:
    """Pattern of a number; the sign of percent and the whole numbers tell columns apart."""
    if "%" in column:
        return r"(-?\d+(?:\.\d+)?)%"
    return r"(\d+)" if column == "times called" else r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"


def _op(kind: str, name: str, ms: float, share: float) -> OpTime:
    """Names are ``[output, ...]:node``; a delegate's own rows have no position in the file."""
    match = _NODE.match(name)
    if match is None or kind.startswith("Delegate/") or name.startswith("Delegate/"):
        return OpTime(kind, name, None, ms, share)
    outputs = match[1].removeprefix("[").removesuffix("]")
    return OpTime(kind, outputs.split(", ")[0], int(match[2]), ms, share)
