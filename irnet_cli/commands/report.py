"""``irnet report``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from irnet_cli.output import check_files
from irnet_keras.errors import UsageError

QUICKSTART_SCHEMA = "irnet.quickstart/1"


def report(
    results: Annotated[Path, typer.Argument(help="JSON of irnet bench or irnet quickstart.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML file.")] = Path(
        "report.html"
    ),
    title: Annotated[str | None, typer.Option(help="Heading of the report.")] = None,
) -> None:
    """Make one HTML file, with figures and conditions, from measured results."""
    check_files([("--output", output)], [("RESULTS", results)])
    value = _read(results)
    from edge_bench.report import write_report
    from edge_bench.schema import parse_bench

    if value.get("schema_id") == QUICKSTART_SCHEMA:
        measured = parse_bench(value.get("bench"), f"{results}: bench")
        measured = measured.with_accuracy(_object(value, "accuracy", results))
        verify: dict[str, Any] | None = _object(value, "verify", results)
    else:
        measured, verify = parse_bench(value, str(results)), None
    print(write_report(measured, output, title=title or results.stem, verify=verify))


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
