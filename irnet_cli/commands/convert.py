"""``irnet convert``."""

from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.model_argument import ModelArgument, UntrainedOption, load_model
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.files import atomic_write


def convert(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .tflite file to write.")],
    untrained: UntrainedOption = False,
    json_file: JsonOption = None,
) -> None:
    """Write the 1-bit file; fails unless every binary convolution runs in 1 bit."""
    check_files([("--out", out), ("--json", json_file)], [("MODEL", model)])
    from converters.lce import convert as run

    resolved = load_model(model, untrained=untrained)
    conversion = run(resolved.model, log)
    atomic_write(out, conversion.data)
    result = {
        "model": resolved.name,
        "file": str(out),
        "bytes": len(conversion.data),
        "binary_layers": list(conversion.binary_layers),
    }
    if not write_json(json_file, result):
        print(
            f"{out}: {len(conversion.data)} bytes, "
            f"{len(conversion.binary_layers)} binary convolutions"
        )
