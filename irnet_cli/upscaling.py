"""``irnet eval`` of networks that enlarge images."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from irnet_cli.output import log
from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from converters.untrusted import Policy
    from irnet_keras.data.upscaling import Pair, UpscalingScore
    from irnet_keras.models.resolve import ResolvedModel

METHOD = (
    "PSNR (dB) and SSIM on Y of BT.601, scale pixels of every border left out; small images by "
    "Pillow's bicubic (antialiased) from images cropped to a multiple of scale"
)
METHOD_DIV2K = METHOD.split(";", maxsplit=1)[0] + "; small images as in the data set"


def upscaling_of_model(
    model: str,
    load: Callable[[], "ResolvedModel"],
    data: str,
    data_dir: Path | None,
    split: str,
    limit: int | None,
) -> dict[str, Any]:
    """Result of a Keras model."""
    resolved = load()
    import tensorflow as tf

    from irnet_keras.models.sizes import enlargement, with_image_size
    from irnet_keras.training.tasks.super_resolution import keras_upscaling

    scale = enlargement(resolved.model)
    if scale is None:
        raise UsageError(
            f"--data {data} is for networks that enlarge images, {model} maps "
            f"{resolved.model.input_shape} to {resolved.model.output_shape}"
        )
    pairs = _pairs(data, data_dir, split, scale, limit)
    log(f"scoring {resolved.name} on {len(pairs)} images")
    score = keras_upscaling(with_image_size(resolved.model, None, None), pairs, scale)
    return _result(score, scale, data, model, f"Keras (TensorFlow {tf.__version__})")


def upscaling_of_file(
    model: str,
    data: str,
    data_dir: Path | None,
    split: str,
    limit: int | None,
    runtime: str,
    kernel: str,
    chosen: "Policy",
) -> dict[str, Any]:
    """Result of a ``.tflite`` file, in overlapping tiles of its input's size."""
    from converters.runtimes import TFLiteProcess, engine_for
    from converters.runtimes.tiles import TiledUpscaler
    from irnet_keras.data.upscaling import score_upscaling

    engine = engine_for(model, runtime, kernel)
    with TFLiteProcess(Path(model), engine=engine, kernel=kernel, policy=chosen) as process:
        upscaler = TiledUpscaler(process)
        pairs = _pairs(data, data_dir, split, upscaler.scale, limit)
        log(f"scoring {model} on {len(pairs)} images")
        score = score_upscaling(pairs, upscaler.scale, upscaler)
        return _result(score, upscaler.scale, data, model, process.engine)


def _pairs(
    data: str, data_dir: Path | None, split: str, scale: int, limit: int | None
) -> "list[Pair]":
    from irnet_keras.data.enlarging_sets import SETS, folder_pairs, load_pairs

    if data in SETS:
        if split not in ("train", "test"):
            raise UsageError(f"--split must be train or test for --data {data}, got {split!r}")
        return load_pairs(data, split, scale, data_dir)[:limit]
    if split != "test":
        raise UsageError(f"--split goes with a data set, not with the folder {data!r}")
    return folder_pairs(Path(data), scale, limit)


def _result(
    score: "UpscalingScore", scale: int, data: str, model: str, runtime: str
) -> dict[str, Any]:
    means = score.as_json()
    images = means.pop("images")
    return {
        **means,
        "scale": scale,
        "num_examples": len(images),
        "model": model,
        "runtime": runtime,
        "method": METHOD_DIV2K if data == "div2k" else METHOD,
        "images": images,
    }
