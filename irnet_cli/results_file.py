"""Reading what ``irnet bench`` and ``irnet quickstart`` wrote."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from edge_bench.schema import BenchResult

QUICKSTART_SCHEMA = "irnet.quickstart/1"


@dataclass(frozen=True)
class Results:
    """A results file: measurements, and what verification found if it was run."""

    bench: "BenchResult"
    verify: dict[str, Any] | None


def read_results(path: Path) -> Results:
    """Read a results file of any known version.

    Raises:
        UsageError: unreadable, or not such a file.
    """
    from edge_bench.schema import parse_bench

    value = _read(path)
    if value.get("schema_id") != QUICKSTART_SCHEMA:
        return Results(parse_bench(value, str(path)), None)
    measured = parse_bench(value.get("bench"), f"{path}: bench")
    measured = measured.with_accuracy(_object(value, "accuracy", path))
    return Results(measured, _object(value, "verify", path))


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} does not hold a result: it is not a JSON object")
    return value


def _object(value: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    part = value.get(key, {})
    if not isinstance(part, dict):
        raise UsageError(f"{path}: {key} must be an object")
    return part
