"""``irnet verify-file``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irnet_cli.output import JsonOption, check_files, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_keras.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from converters.untrusted import Policy

MIB = 1 << 20


def verify_file(
    files: Annotated[list[Path], typer.Argument(help=".tflite files.")],
    file_limit: FileLimitOption = None,
    allow_op: AllowOpOption = None,
    json_file: JsonOption = None,
) -> None:
    """Check .tflite files as before every run, without running them."""
    check_files([("--json", json_file)], [("FILES", file) for file in files])
    chosen = policy(file_limit, allow_op)
    results = [_result(file, chosen) for file in files]
    if not write_json(json_file, results):
        for result in results:
            if result["well_formed"]:
                print(_line(result))
    bad = [result for result in results if not result["accepted"]]
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        unreadable = [result for result in bad if not result["well_formed"]]
        if unreadable:
            raise UsageError(f"{unreadable[0]['reason']}{more}")
        raise CheckFailed(f"{bad[0]['reason']}{more}")


def _result(file: Path, policy: "Policy") -> dict[str, Any]:
    from converters.graph import read_graph
    from converters.untrusted import RefusedFileError, check_graph

    result: dict[str, Any] = {"file": str(file), "accepted": False, "well_formed": False}
    try:
        graph = read_graph(file)
        result |= {"well_formed": True, "bytes": len(graph.data), "operators": len(graph.ops)}
        spending = check_graph(graph, policy)
    except RefusedFileError as error:
        return {**result, "reason": f"{file}: {error}"}
    except UsageError as error:
        return {**result, "reason": str(error)}
    cost = {"memory_bytes": spending.memory_bytes, "macs": spending.macs}
    return {**result, "accepted": True, "reason": None, **cost}


def _line(result: dict[str, Any]) -> str:
    if not result["accepted"]:
        return f"refused: {result['reason']}"
    return (
        f"{result['file']}: accepted, {result['operators']} operators, {result['bytes']} bytes, "
        f"at most {result['memory_bytes'] / MIB:.1f} MiB of tensors, "
        f"{result['macs'] / 1e6:,.1f} million units of work"
    )
