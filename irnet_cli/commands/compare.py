"""``irnet compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.output import JsonOption, check_files, log, plain, write_json
from irnet_cli.results_file import read_results

if TYPE_CHECKING:
    from edge_bench.compare import Comparison


def compare(
    old: Annotated[Path, typer.Argument(help="JSON of irnet bench or quickstart: before.")],
    new: Annotated[Path, typer.Argument(help="The same: after.")],
    seed: Annotated[int, typer.Option(min=0, help="Of bootstrap and permutations.")] = 0,
    min_effect: Annotated[
        float,
        typer.Option(help="Smallest change that is called one, 0 to 1: 0.03 is 3 %."),
    ] = 0.03,
    json_file: JsonOption = None,
) -> None:
    """Say which builds became faster or slower, and whether that is more than chance."""
    check_files([("--json", json_file)], [("OLD", old), ("NEW", new)])
    from edge_bench.compare import compare as run

    result = run(read_results(old).bench, read_results(new).bench, min_effect=min_effect, seed=seed)
    for line in result.warnings:
        log(f"warning: {plain(line)}")
    if not write_json(json_file, result.as_json()):
        _print(result)


def _print(result: "Comparison") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from edge_bench.compare import LEVEL

    table = Table()
    table.add_column("build", overflow="fold")
    for title in ("old\nms", "new\nms", "ratio", "p", "size\nkB", "accuracy\npoints"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    devices = {change.device for change in result.changes}
    for c in result.changes:
        accuracy = "unknown"
        if c.accuracy_change is not None and c.accuracy_margin is not None:
            accuracy = f"{100 * c.accuracy_change:+.2f} ± {100 * c.accuracy_margin:.2f}"
        table.add_row(
            escape(plain(c.name if len(devices) == 1 else f"{c.name} on {c.device}")),
            f"{c.old_ms:.3f}",
            f"{c.new_ms:.3f}",
            f"{c.ratio:.3f} \\[{c.low:.3f}, {c.high:.3f}]",
            f"{c.p:.4f}",
            f"{(c.new_bytes - c.old_bytes) / 1e3:+,.1f}",
            accuracy,
            c.verdict,
        )
    console = Console()
    (console if console.is_terminal else Console(width=max(console.width, 120))).print(table)
    for label, names in (("only in old", result.only_old), ("only in new", result.only_new)):
        for name in names:
            print(f"{label}: {plain(name)}")
    print(
        "ratio: new median over old, with its 95 % bootstrap interval; p: permutation test with "
        f"Holm's correction; faster or slower: p < {LEVEL:g} and the interval beyond a "
        f"change of {100 * result.min_effect:.3g} % (--min-effect)"
    )
