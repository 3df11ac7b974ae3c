"""``irnet import-torch``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from irnet_cli.output import JsonOption, check_files, import_tensorflow, log, write_json
from irnet_keras.errors import UsageError


def import_torch(
    state_dict: Annotated[
        Path, typer.Argument(metavar="STATE_DICT", help="A .npz or .safetensors file.")
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Registry name of the network.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .safetensors file to write.")],
    structure: Annotated[
        str | None, typer.Option(help="bireal, normal or plain; default: the network's usual one.")
    ] = None,
    activation: Annotated[
        str, typer.Option(help="hardtanh, or relu: IR-Net's w1a32 code and torchvision.")
    ] = "hardtanh",
    mean: Annotated[
        str | None,
        typer.Option(metavar="R,G,B", help="Mean of the images (0..1) it was trained with."),
    ] = None,
    std: Annotated[
        str | None, typer.Option(metavar="R,G,B", help="Standard deviation, as --mean.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Weights of a PyTorch network as a weights file of ours, exactly."""
    check_files([("--out", out), ("--json", json_file)], [("STATE_DICT", state_dict)])
    if out.suffix != ".safetensors":
        raise UsageError(f"--out must end in .safetensors, got {out}")
    if (mean is None) != (std is None):
        raise UsageError("--mean and --std go together, got only one of them")
    means, stds = _numbers("--mean", mean), _numbers("--std", std)
    from irnet_keras.models import get_entry
    from irnet_keras.models.torch_weights import import_state, read_state

    get_entry(model)
    state = read_state(state_dict)
    import_tensorflow()
    from irnet_keras.models.weights import save_weights

    imported = import_state(
        state, model, structure=structure, activation=activation, mean=means, std=stds
    )
    save_weights(imported.model, out, {"config": json.dumps(imported.config)})
    for layer in imported.identity_norms:
        log(f"the state has no batch norm for {layer}: it does nothing")
    if imported.ambiguous_signs:
        log(
            f"warning: {imported.ambiguous_signs} binary weights are within rounding of their "
            "filter's mean; PyTorch may give them the other sign"
        )
    result = {
        "file": str(out),
        "model": model,
        "config": imported.config,
        "layers": imported.names,
        "identity_norms": list(imported.identity_norms),
        "ambiguous_signs": imported.ambiguous_signs,
    }
    if not write_json(json_file, result):
        print(f"{out}: {len(imported.names)} layers of {model}")


def _numbers(option: str, text: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text is not None else ()
    except ValueError as error:
        raise UsageError(f"{option} must be 3 numbers like 0.5,0.5,0.5, got {text!r}") from error
