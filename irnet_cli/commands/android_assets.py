"""``irnet android-assets``."""

from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.model_argument import UntrainedOption
from irnet_cli.output import JsonOption, check_files, import_tensorflow, log, write_json
from irnet_keras.errors import UsageError

# Of android_demo, in a checkout.
DEFAULT_OUT = Path("android_demo/app/src/main/assets")


def android_assets(
    model: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Registry names, of precision w1a1 or float32."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; created.")] = DEFAULT_OUT,
    labels: Annotated[
        Path | None,
        typer.Option(help="Text file with the name of a class in each line; not for CIFAR-10."),
    ] = None,
    untrained: UntrainedOption = False,
    json_file: JsonOption = None,
) -> None:
    """Write the files, labels and manifest that the Android app comes with."""
    inputs: list[tuple[str, str | Path]] = [] if labels is None else [("--labels", labels)]
    check_files([("--json", json_file)], inputs)
    from converters.android_assets import MANIFEST, check_model, write_assets

    names = None if labels is None else _read_labels(labels)
    for name in model:  # before TensorFlow starts
        check_model(name, names)
    import_tensorflow()
    manifest = write_assets(model, out, labels=names, untrained=untrained, log=log)
    if not write_json(json_file, manifest):
        for row in manifest["models"]:
            print(f"{out / row['file']}: {row['bytes']} bytes, {row['build']}")
        print(out / MANIFEST)


def _read_labels(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--labels {path}: cannot be read as text") from error
    names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) != len(names):
        raise UsageError(f"--labels {path}: every class needs its own name")
    return names
