"""``irnet verify``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.model_argument import (
    ModelArgument,
    NetworkOption,
    TrustOption,
    UntrainedOption,
    load_model,
    sized,
)
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_cli.runtime_option import KernelOption, RuntimeOption
from irnet_keras.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from converters.verify import VerifyReport
    from converters.verify.report import OracleReport
    from irnet_keras.data.cifar10 import LabelledImages

PRINTED_REASONS = 10
LARGE_IMAGES = 4  # all activations of a network that enlarges images are large
DATA = ("sample", "cifar10")


def verify(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(help="The .tflite file made from it.")],
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Test images; default 1000, or all of cifar10; fewer if resized."),
    ] = None,
    data: Annotated[str, typer.Option(help="sample (shipped) or cifar10.")] = "sample",
    data_dir: Annotated[Path | None, typer.Option(help="TFDS data folder.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the images checked per layer.")] = 0,
    per_layer_images: Annotated[int, typer.Option(min=1, help="Images per layer check.")] = 4,
    min_agreement: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Least share of equal answers, unless an LCE file is right sign by sign.",
        ),
    ] = 0.8,
    max_accuracy_points: Annotated[
        float,
        typer.Option(
            min=0,
            help="Largest accuracy difference, in points: strict from 10000 images on; from 1000 "
            "on it fails only if it is also more than chance; not for int8 files.",
        ),
    ] = 0.2,
    runtime: RuntimeOption = "auto",
    kernel: KernelOption = "auto",
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    json_file: JsonOption = None,
) -> None:
    """Compare a file with its Keras model: every layer, every sign, every answer."""
    if data not in DATA:
        raise UsageError(f"--data must be one of {', '.join(DATA)}, got {data!r}")
    check_files([("--json", json_file)], [("MODEL", model), ("FILE", file)])
    from converters.runtimes import engine_for

    engine_for(file, runtime, kernel)  # refuses bad files and names before TensorFlow starts
    chosen = _images(data, data_dir, images)
    from converters.graph import read_graph
    from converters.lce.keras_trace import input_shape
    from converters.verify import Limits
    from converters.verify import verify as run
    from irnet_keras.data.resizing import fitted
    from irnet_keras.models.sizes import enlargement

    resolved = load_model(model, untrained=untrained, network=network, trust=trust)
    if enlargement(resolved.model) is not None:
        graph = read_graph(file)
        height, width = graph.tensors[graph.inputs[0]].shape[1:3]
        resolved = sized(resolved, (height, width))
        if images is None:
            chosen = chosen[:LARGE_IMAGES]
    if images is None:
        chosen = fitted(chosen, input_shape(resolved.model))
    log(f"comparing {file} with {resolved.name} on {len(chosen)} images")
    report = run(
        resolved.model,
        file,
        chosen,
        seed=seed,
        per_layer_images=per_layer_images,
        limits=Limits(min_agreement=min_agreement, max_accuracy_points=max_accuracy_points),
        runtime=runtime,
        kernel=kernel,
    )
    if not write_json(json_file, report.model_dump(mode="json")):
        _print(report)
    if not report.passed:
        raise CheckFailed(f"{file} does not match {resolved.name}: {report.reasons[0]}")


def _images(data: str, data_dir: Path | None, count: int | None) -> "LabelledImages":
    if data == "sample":
        from irnet_keras.data.sample import load_sample

        available = load_sample().test
    else:
        from irnet_keras.data.cifar10 import load_cifar10

        available = load_cifar10("test", data_dir)
    if count is not None and count > len(available):
        raise UsageError(f"--images {count}: {data} has {len(available)} test images")
    return available[:count] if count else available


def _print(report: "VerifyReport") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if report.layers:
        table = Table("layer", "wrong\nweights", "error", "allowed", "wrong\noutputs", "flips", "")
        flips = {f.layer: f.flips for f in report.flips}
        for layer in report.layers:
            table.add_row(
                layer.layer,
                str(layer.wrong_weight_bits),
                f"{layer.worst_error:.1e}",
                f"{layer.tolerance:.1e}",
                str(layer.violations),
                str(flips.get(layer.layer, "")),
                "ok" if layer.passed else "FAILED",
            )
        console.print(table)
    if report.runtime:
        print(f"ran in {report.runtime}")
    if report.oracle:
        print(_oracle_line(report.oracle))
    if report.outputs:
        out = report.outputs
        if out.least_psnr is None:
            print(f"{out.num_images} images, {out.agreement:.2%} with the same answer")
        else:
            print(
                f"{out.num_images} images, outputs within {out.least_psnr:.1f} dB (PSNR) of "
                f"Keras's, {out.worst_difference:.2g} at most"
            )
        if out.keras_accuracy is not None and out.file_accuracy is not None:
            print(f"accuracy: Keras {out.keras_accuracy:.2%}, file {out.file_accuracy:.2%}")
    for note in report.notes:
        print(f"note: {note}")
    for reason in report.reasons[:PRINTED_REASONS]:
        print(f"FAILED: {reason}")
    if len(report.reasons) > PRINTED_REASONS:
        print(f"and {len(report.reasons) - PRINTED_REASONS} more, see --json")
    if report.passed:
        print("passed")


def _oracle_line(oracle: "OracleReport") -> str:
    if not oracle.engines:
        return "compared with LCE's interpreter: nothing, see the notes"
    wrong = sum(1 for layer in oracle.layers if layer.differing or layer.merged_differing)
    found = f"{wrong} operators DIFFER" if wrong else "all bits equal"
    return (
        f"compared with {' and '.join(oracle.engines)}: {len(oracle.layers)} operators on "
        f"{oracle.per_layer_images} images, their ends on {oracle.num_images}; "
        f"{oracle.num_values:,} values, {found}"
    )
