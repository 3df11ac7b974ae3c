"""``irnet inspect``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.output import JsonOption, check_files, write_json

if TYPE_CHECKING:
    from irnet_keras.training.inspection import Inspection

_FILE_WIDTH = 160  # of a table that goes to a file or a pipe: nothing in it is cut off


def inspect(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or not.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Also make this HTML page.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """What binarization keeps: entropy, sign flips, useful gradients of every binary layer."""
    check_files([("--json", json_file), ("--output", output)], [("RUN", run)])
    from irnet_keras.training.inspection import inspect_run

    found = inspect_run(run)
    if output is not None:
        from edge_bench.run_page import write_run_page

        write_run_page(found, output)
    if not write_json(json_file, found.model_dump(mode="json")):
        _print(found)


def _print(found: "Inspection") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from edge_bench.run_page import layer_row

    state = "finished" if found.finished else "not finished"
    print(f"{found.config.name}: {found.epochs_done} of {found.config.epochs} epochs, {state}")
    print(f"layers: {len(found.layers)} binary, from {found.source}")
    for name, values in found.metrics.items():
        known = [v for v in values if v is not None]
        if known:
            print(f"{name}: {known[-1]:.4g} (first epoch {known[0]:.4g})")
    if not found.layers:
        return
    rows = [layer_row(info) for info in found.layers]
    table = Table()
    for column in rows[0]:
        left = column == "Layer"
        table.add_column(column, justify="left" if left else "right", no_wrap=left)
    for row in rows:
        table.add_row(*map(escape, row.values()))
    console = Console()
    console.width = console.width if console.is_terminal else _FILE_WIDTH
    console.print(table)
