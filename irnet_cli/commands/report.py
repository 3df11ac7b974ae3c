"""``irnet report``."""

from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.output import check_files
from irnet_cli.results_file import read_results
from irnet_keras.files import atomic_write


def report(
    results: Annotated[Path, typer.Argument(help="JSON of irnet bench or irnet quickstart.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The HTML file.")] = Path(
        "report.html"
    ),
    title: Annotated[str | None, typer.Option(help="Heading of the report.")] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="JSON of irnet bench for another network, e.g. a MobileNet, on the same devices: "
            "its builds are shown beside."
        ),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write the table as CSV.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write a Markdown table, for a README.")
    ] = None,
    model_card: Annotated[
        Path | None, typer.Option(help="Also write a Markdown section for a model card.")
    ] = None,
) -> None:
    """Make one HTML file, with figures and conditions, from measured results."""
    check_files(
        [
            ("--output", output),
            ("--csv", csv),
            ("--markdown", markdown),
            ("--model-card", model_card),
        ],
        [("RESULTS", results), *([("--reference", reference)] if reference else [])],
    )
    found = read_results(results)
    from edge_bench import tables
    from edge_bench.report import write_report

    other = read_results(reference).bench if reference is not None else None
    write_report(
        found.bench,
        output,
        title=title or results.stem,
        verify=found.verify,
        reference=other,
    )
    print(output)
    for path, text in (
        (csv, tables.csv_text),
        (markdown, tables.markdown),
        (model_card, tables.model_card),
    ):
        if path is not None:
            atomic_write(path, text(found.bench, other))
            print(path)
