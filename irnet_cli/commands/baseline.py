"""``irnet baseline``."""

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
    representative,
    sized,
)
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write


def baseline(
    model: ModelArgument,
    fmt: Annotated[str, typer.Option("--format", help="float32, float16 or int8.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .tflite file to write.")],
    image_size: ImageSizeOption = None,
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    json_file: JsonOption = None,
) -> None:
    """Write what the 1-bit file is compared with: a stock TFLite build."""
    check_files([("--out", out), ("--json", json_file)], [("MODEL", model)])
    from converters.baselines import FORMATS, build_baseline
    from irnet_keras.models.sizes import parse_size

    if fmt not in FORMATS:
        raise UsageError(f"--format must be one of {', '.join(FORMATS)}, got {fmt!r}")
    size = parse_size(image_size, "--image-size") if image_size else None
    resolved = sized(load_model(model, untrained=untrained, network=network, trust=trust), size)
    data = build_baseline(resolved.model, fmt, representative(resolved), log)
    atomic_write(out, data)
    result = {"model": resolved.name, "file": str(out), "bytes": len(data), "format": fmt}
    if not write_json(json_file, result):
        print(f"{out}: {len(data)} bytes, {fmt}")
