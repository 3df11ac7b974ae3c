"""``irnet convert``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.model_argument import (
    ImageSizeOption,
    ModelArgument,
    NetworkOption,
    TrustOption,
    UntrainedOption,
    load_model,
    sized,
)
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.errors import UsageError
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
    leftovers: Annotated[
        str,
        typer.Option(
            help="Float operators that remain: float32, int8-weights (their weights take a "
            "quarter), or int8 (they also run in int8)."
        ),
    ] = "float32",
    representative: Annotated[
        Path | None,
        typer.Option(
            help="Folder of images, or .npz of one array, that the model will see; for "
            "--leftovers. Default: shipped CIFAR-10 images, resized."
        ),
    ] = None,
    image_size: ImageSizeOption = None,
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    json_file: JsonOption = None,
) -> None:
    """Write the 1-bit file; fails unless every binary convolution runs in 1 bit, and rightly."""
    inputs: list[tuple[str, str | Path]] = [("MODEL", model)]
    if representative is not None:
        inputs.append(("--representative", representative))
    check_files([("--out", out), ("--json", json_file)], inputs)
    from converters.lce import convert as run
    from converters.lce.keras_trace import input_shape
    from converters.lce.pipeline import check_names
    from converters.leftovers import check_representative, checked_mode, load_representative
    from converters.passes import checked_target
    from irnet_keras.models.sizes import enlargement, parse_size

    mode = checked_mode(leftovers, "--leftovers")
    if representative is not None:
        if mode == "float32":
            raise UsageError("--representative goes with --leftovers int8-weights or int8")
        check_representative(representative)
    wanted = checked_target(target, "--target")
    check_names(no_pass or (), "--no-pass")
    size = parse_size(image_size, "--image-size") if image_size else None
    resolved = sized(load_model(model, untrained=untrained, network=network, trust=trust), size)
    images = None
    if representative is not None:
        images = load_representative(representative, input_shape(resolved.model))
    if mode == "int8" and enlargement(resolved.model) is not None:
        raise UsageError(
            "--leftovers int8 is for classifiers, whose images calibrate and check it; "
            f"{resolved.name} enlarges images: use int8-weights"
        )
    conversion = run(
        resolved.model,
        log,
        target=wanted,
        strict=strict,
        off=no_pass or (),
        leftovers=mode,
        representative=images,
        progress=log,
    )
    atomic_write(out, conversion.data)
    result = {
        "model": resolved.name,
        "file": str(out),
        "bytes": len(conversion.data),
        "binary_layers": list(conversion.binary_layers),
        "target": conversion.target,
        "passes": [asdict(report) for report in conversion.passes],
        "leftovers": conversion.leftovers.as_json(),
        "findings": [asdict(finding) for finding in conversion.findings],
        "postflight": asdict(conversion.postflight),
    }
    if not write_json(json_file, result):
        print(
            f"{out}: {len(conversion.data)} bytes, "
            f"{len(conversion.binary_layers)} binary convolutions"
        )
        if conversion.leftovers.mode != "float32":
            print(conversion.leftovers.describe())
