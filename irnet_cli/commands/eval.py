"""``irnet eval``."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irnet_cli.data_argument import check_data, labelled_images
from irnet_cli.model_argument import (
    NetworkOption,
    TrustOption,
    UntrainedOption,
    load_model,
    refuse_model_options,
)
from irnet_cli.output import JsonOption, check_files, log, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_cli.runtime_option import KernelOption, RuntimeOption
from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from converters.untrusted import Policy
    from irnet_keras.models.resolve import ResolvedModel


def eval_(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Registry name, weights file, SavedModel or .tflite file."
        ),
    ],
    data: Annotated[str, typer.Option(help="cifar10, or sample (shipped).")],
    data_dir: Annotated[Path | None, typer.Option(help="TFDS data folder.")] = None,
    split: Annotated[str, typer.Option(help="Split of cifar10.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    runtime: RuntimeOption = "auto",
    kernel: KernelOption = "auto",
    untrained: UntrainedOption = False,
    network: NetworkOption = None,
    trust: TrustOption = False,
    file_limit: FileLimitOption = None,
    allow_op: AllowOpOption = None,
    json_file: JsonOption = None,
) -> None:
    """Top-1 accuracy of a Keras model or a .tflite file."""
    check_data(data)
    if data == "sample" and split != "test":
        raise UsageError(f"--split must be test for --data sample, got {split!r}")
    check_files([("--json", json_file)], [("MODEL", model)])
    if _is_tflite(model):
        refuse_model_options(model, untrained=untrained, network=network, trust=trust)
        chosen = policy(file_limit, allow_op)
        result = _score_tflite(model, data, data_dir, split, limit, runtime, kernel, chosen)
    else:
        if (runtime, kernel) != ("auto", "auto"):
            raise UsageError(f"--runtime and --kernel go with a .tflite file, got {model!r}")
        if file_limit or allow_op:
            raise UsageError(f"--file-limit and --allow-op go with a .tflite file, got {model!r}")
        load = partial(load_model, model, untrained=untrained, network=network, trust=trust)
        result = _score_keras(model, load, data, data_dir, split, limit)
    if not write_json(json_file, result):
        for key, value in result.items():
            print(f"{key}: {value}")


def _is_tflite(model: str) -> bool:
    """By suffix, so that a broken file is reported as such and not as an unknown network."""
    return Path(model).suffix.lower() in (".tflite", ".lite")


def _result(accuracy: float, count: int, model: str, runtime: str) -> dict[str, Any]:
    return {"accuracy": accuracy, "num_examples": count, "model": model, "runtime": runtime}


def _score_tflite(
    model: str,
    data: str,
    data_dir: Path | None,
    split: str,
    limit: int | None,
    runtime: str,
    kernel: str,
    chosen: "Policy",
) -> dict[str, Any]:
    from converters.runtimes import engine_for, tflite_accuracy
    from irnet_keras.data.preprocessing import preprocess

    engine_for(model, runtime, kernel)  # refuses bad files and names before any data is read
    images = labelled_images(data, data_dir, split, limit)
    log(f"scoring {model} on {len(images)} images")
    score = tflite_accuracy(
        model,
        images.images,
        images.labels,
        preprocess,
        runtime=runtime,
        kernel=kernel,
        policy=chosen,
    )
    return _result(score.accuracy, score.num_examples, model, score.engine)


def _score_keras(
    model: str,
    load: Callable[[], "ResolvedModel"],
    data: str,
    data_dir: Path | None,
    split: str,
    limit: int | None,
) -> dict[str, Any]:
    resolved = load()
    images = labelled_images(data, data_dir, split, limit)
    if tuple(resolved.model.input_shape[1:]) != images.images.shape[1:]:
        raise UsageError(
            f"{model} takes inputs of shape {tuple(resolved.model.input_shape[1:])}, "
            f"{data} has {images.images.shape[1:]}"
        )
    import tensorflow as tf

    from irnet_keras.training.tasks.classification import keras_accuracy

    log(f"scoring {resolved.name} on {len(images)} images")
    accuracy = keras_accuracy(resolved.model, images)
    runtime = f"Keras (TensorFlow {tf.__version__})"
    return _result(accuracy, len(images), model, runtime)
