"""``irnet convert``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.model_argument import ModelArgument, UntrainedOption, load_model
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write

TARGETS = ("lce", "delegate")


def convert(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .tflite file to write.")],
    target: Annotated[
        str,
        typer.Option(help="lce: runs in LCE's default kernels; delegate: in the delegate."),
    ] = "lce",
    strict: Annotated[
        bool,
        typer.Option(help="Refuse what would come out wrong, not run, or stay float."),
    ] = True,
    untrained: UntrainedOption = False,
    json_file: JsonOption = None,
) -> None:
    """Write the 1-bit file; fails unless every binary convolution runs in 1 bit, and rightly."""
    if target not in TARGETS:
        raise UsageError(f"--target must be one of {', '.join(TARGETS)}, got {target!r}")
    check_files([("--out", out), ("--json", json_file)], [("MODEL", model)])
    from converters.lce import convert as run

    resolved = load_model(model, untrained=untrained)
    conversion = run(resolved.model, log, strict=strict, target=target)
    atomic_write(out, conversion.data)
    result = {
        "model": resolved.name,
        "file": str(out),
        "bytes": len(conversion.data),
        "binary_layers": list(conversion.binary_layers),
        "target": target,
        "findings": [asdict(finding) for finding in conversion.findings],
    }
    if not write_json(json_file, result):
        print(
            f"{out}: {len(conversion.data)} bytes, "
            f"{len(conversion.binary_layers)} binary convolutions"
        )
