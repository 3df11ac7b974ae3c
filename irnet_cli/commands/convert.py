"""``irnet convert``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.model_argument import (
    ModelArgument,
    NetworkOption,
    TrustOption,
    UntrainedOption,
    load_model,
)
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.files import atomic_write


def convert(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The .tflite file to write.")],
    target: Annotated[
        str,
        typer.Option(
            help="lce: for LCE's default kernels; delegate: may use all our runtime supports."
        ),
    ] = "lce",
    strict: Annotated[
        bool,
        typer.Option(help="Refuse what would come out wrong, not run, or stay float."),
    ] = True,
    no_pass: Annotated[
        list[str] | None,
        typer.Option(metavar="PASS", help="Leave out this rewrite of the file; repeatable."),
    ] = None,
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    json_file: JsonOption = None,
) -> None:
    """Write the 1-bit file; fails unless every binary convolution runs in 1 bit, and rightly."""
    check_files([("--out", out), ("--json", json_file)], [("MODEL", model)])
    from converters.lce import convert as run
    from converters.lce.pipeline import check_names
    from converters.passes import checked_target

    wanted = checked_target(target, "--target")
    check_names(no_pass or ())
    resolved = load_model(model, untrained=untrained, network=network, trust=trust)
    conversion = run(
        resolved.model, log, target=wanted, strict=strict, off=no_pass or (), progress=log
    )
    atomic_write(out, conversion.data)
    result = {
        "model": resolved.name,
        "file": str(out),
        "bytes": len(conversion.data),
        "binary_layers": list(conversion.binary_layers),
        "target": conversion.target,
        "passes": [asdict(report) for report in conversion.passes],
        "findings": [asdict(finding) for finding in conversion.findings],
        "postflight": asdict(conversion.postflight),
    }
    if not write_json(json_file, result):
        print(
            f"{out}: {len(conversion.data)} bytes, "
            f"{len(conversion.binary_layers)} binary convolutions"
        )
