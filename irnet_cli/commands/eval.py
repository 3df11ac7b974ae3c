"""``irnet eval``."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irnet_cli.data_argument import labelled_images
from irnet_cli.model_argument import (
    NetworkOption,
    TrustOption,
    UntrainedOption,
    load_model,
    refuse_model_options,
)
from irnet_cli.output import JsonOption, check_files, import_tensorflow, log, write_json
from irnet_cli.policy_option import AllowOpOption, FileLimitOption, policy
from irnet_cli.runtime_option import KernelOption, RuntimeOption
from irnet_cli.upscaling import upscaling_of_file, upscaling_of_model
from irnet_keras.errors import UsageError
from irnet_keras.models.networks import DATASETS
from irnet_keras.near import accepted

if TYPE_CHECKING:
    from converters.untrusted import Policy
    from irnet_keras.data.imagenet import ImageNet
    from irnet_keras.models.resolve import ResolvedModel

DATA = ("cifar10", "cifar100", "imagenet2012", "sample")
ENLARGING = ("photos", "div2k")
STREAMED = 1000  # images of 224x224x3 floats: 600 MB


def eval_(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Registry name, weights file, SavedModel or .tflite file."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            help="cifar10, cifar100, imagenet2012 or sample (shipped); for networks that enlarge "
            "images photos, div2k or a folder of images."
        ),
    ],
    data_dir: Annotated[Path | None, typer.Option(help="TFDS data folder.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Default: test; validation for imagenet2012.")
    ] = None,
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
    """Top-1 accuracy of a Keras model or a .tflite file; PSNR and SSIM where it enlarges images."""
    enlarging = data not in DATA
    if enlarging and data not in ENLARGING and not Path(data).is_dir():
        raise UsageError(
            f"--data must be a folder of images or one of these data sets, got {data!r}; "
            f"{accepted(data, (*DATA, *ENLARGING))}"
        )
    split = split or ("validation" if data == "imagenet2012" else "test")
    if data == "sample" and split != "test":
        raise UsageError(f"--split must be test for --data sample, got {split!r}")
    check_files([("--json", json_file)], [("MODEL", model)])
    if _is_tflite(model):
        refuse_model_options(model, untrained=untrained, network=network, trust=trust)
        chosen = policy(file_limit, allow_op)
        score = upscaling_of_file if enlarging else _score_tflite
        result = score(model, data, data_dir, split, limit, runtime, kernel, chosen)
    else:
        if (runtime, kernel) != ("auto", "auto"):
            raise UsageError(f"--runtime and --kernel go with a .tflite file, got {model!r}")
        if file_limit or allow_op:
            raise UsageError(f"--file-limit and --allow-op go with a .tflite file, got {model!r}")
        load = partial(load_model, model, untrained=untrained, network=network, trust=trust)
        score_keras = upscaling_of_model if enlarging else _score_keras
        result = score_keras(model, load, data, data_dir, split, limit)
    if not write_json(json_file, result):
        for key, value in result.items():
            if not isinstance(value, list):
                print(f"{key}: {value}")
        for image in result.get("images", ()):
            print(
                f"  {image['name']}: {image['psnr']:.2f} dB, SSIM {image['ssim']:.4f} (bicubic "
                f"{image['bicubic_psnr']:.2f} dB, {image['bicubic_ssim']:.4f})"
            )


def _is_tflite(model: str) -> bool:
    """By suffix, so that a broken file is reported as such and not as an unknown network."""
    return Path(model).suffix.lower() in (".tflite", ".lite")


def _imagenet(shape: tuple[int, ...], data_dir: Path | None, model: str) -> "ImageNet":
    """ImageNet in the size of a model's input ``(height, width, channels)``."""
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3 or shape[0] < 1:
        raise UsageError(f"{model} takes inputs of shape {shape}, imagenet2012 has square RGB ones")
    import_tensorflow()
    from irnet_keras.data.imagenet import ImageNet

    return ImageNet(data_dir, shape[0])


def _check_classes(data: str, outputs: tuple[int, ...], model: str) -> None:
    """Refuse a classifier of fewer classes than the data set has."""
    found = next(
        (d.num_classes for d in DATASETS.values() if d.tfds == data),
        DATASETS["cifar10"].num_classes,
    )
    if len(outputs) == 1 and outputs[0] < found:
        raise UsageError(
            f"{model} has {outputs[0]} classes, {data} {found}: train one with num_classes={found}"
        )


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
    inputs, outputs = _shapes(model)
    _check_classes(data, outputs, model)
    score = partial(tflite_accuracy, model, runtime=runtime, kernel=kernel, policy=chosen)
    if data == "imagenet2012":
        source = _imagenet(inputs, data_dir, model)
        parts = source.evaluation(split, STREAMED, limit).as_numpy_iterator()
        log(f"scoring {model} on {STREAMED} images at a time")
        scores = [score(images, labels, lambda x: x) for images, labels in parts]
    else:
        stored = labelled_images(data, data_dir, split, limit)
        log(f"scoring {model} on {len(stored)} images")
        scores = [score(stored.images, stored.labels, preprocess)]
    count = sum(s.num_examples for s in scores)
    hits = sum(round(s.accuracy * s.num_examples) for s in scores)
    return _result(hits / count, count, model, scores[0].engine)


def _shapes(model: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of a file's first input and output, without the batch."""
    from converters.graph import read_graph

    graph = read_graph(model)
    inputs, outputs = (
        graph.tensors[places[0]].shape[1:] if places else ()
        for places in (graph.inputs, graph.outputs)
    )
    return inputs, outputs


def _score_keras(
    model: str,
    load: Callable[[], "ResolvedModel"],
    data: str,
    data_dir: Path | None,
    split: str,
    limit: int | None,
) -> dict[str, Any]:
    resolved = load()
    shape = tuple(resolved.model.input_shape[1:])
    _check_classes(data, tuple(resolved.model.output_shape[1:]), model)
    import tensorflow as tf

    from irnet_keras.training.tasks.classification import eval_dataset, score_batches

    top = 1
    if data == "imagenet2012":
        batches, top = _imagenet(shape, data_dir, model).evaluation(split, limit=limit), 5
    else:
        images = labelled_images(data, data_dir, split, limit)
        if shape != images.images.shape[1:]:
            raise UsageError(
                f"{model} takes inputs of shape {shape}, {data} has {images.images.shape[1:]}"
            )
        batches = eval_dataset(images)
    log(f"scoring {resolved.name}")
    score = score_batches(resolved.model, batches, top)
    runtime = f"Keras (TensorFlow {tf.__version__})"
    result = _result(score.values["accuracy"], score.num_images, model, runtime)
    return {**result, **{key: v for key, v in score.values.items() if key not in result}}
