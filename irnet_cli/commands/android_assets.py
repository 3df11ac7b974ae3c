"""``irnet android-assets``."""

from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.model_argument import UntrainedOption, load_model
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.errors import UsageError

LABEL_LENGTH = 80  # the app shows a name in a line
# Of android_demo, in a checkout.
DEFAULT_OUT = Path("android_demo/app/src/main/assets")


def android_assets(
    model: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Registry names or weights files, w1a1 or float32."
        ),
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
    if out == DEFAULT_OUT and not out.parent.is_dir():
        raise UsageError(f"--out is needed outside a checkout: there is no {out.parent} here")
    from converters.android_assets import MANIFEST, check_models, write_assets

    names = None if labels is None else _read_labels(labels)
    check_models(model, names)  # before TensorFlow starts
    manifest = write_assets(
        model,
        out,
        load=lambda spec: load_model(spec, untrained=untrained).model,
        labels=names,
        log=log,
    )
    if not write_json(json_file, manifest):
        for row in manifest["models"]:
            print(f"{out / row['file']}: {row['bytes']} bytes, {row['build']}")
        print(out / MANIFEST)


def _read_labels(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--labels {path}: cannot be read as text") from error
    names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) != len(names):
        raise UsageError(f"--labels {path}: every class needs its own name")
    for name in names:
        if len(name) > LABEL_LENGTH or not name.isprintable():
            raise UsageError(
                f"--labels {path}: a name must be at most {LABEL_LENGTH} printable characters, "
                f"got {name[:LABEL_LENGTH]!r}"
            )
    return names
