"""Networks that enlarge images: conversion, verification, tiles, evaluation."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from random_nets import randomize_batch_norms
from test_commands import Irnet, irnet  # noqa: F401  (a fixture)

from converters.baselines import build_baseline
from converters.graph import read_graph
from converters.lce import convert
from converters.runtimes import TFLiteProcess
from converters.runtimes.tiles import MARGIN, TiledUpscaler, _tiles
from converters.verify import verify
from irnet_keras.data.resizing import resized
from irnet_keras.data.sample import load_sample
from irnet_keras.data.upscaling import make_pair, score_upscaling, to_image, to_input
from irnet_keras.errors import UsageError
from irnet_keras.models.sizes import with_image_size
from irnet_keras.models.srresnet_lite import SRResNetLiteConfig, build
from irnet_keras.models.weights import save_weights

TILE = (40, 48)


def picture(rng, height, width):
    y, x = np.mgrid[:height, :width]
    values = 120 + 70 * np.sin(x / 6 + y / 9)[..., None] + rng.normal(0, 8, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def small_net(**changes):
    settings = {"channels": 32, "convs": 3, "image": (*TILE, 3), **changes}
    return randomize_batch_norms(build(SRResNetLiteConfig(**settings)))


@pytest.fixture(scope="module")
def net():
    tf.keras.utils.set_random_seed(5)
    model = small_net()
    kernel = model.get_layer("tail_conv").kernel
    kernel.assign(3 * kernel)  # so that what the network adds matters
    return model


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("sr") / "x2.tflite"
    path.write_bytes(convert(net).data)
    return path


@pytest.mark.parametrize(
    ("changes", "binary"),
    [
        ({}, 3),
        ({"pad_values": 1}, 3),
        ({"scale": 4, "skip": "bilinear"}, 3),
        ({"precision": "w1a32"}, 0),
    ],
)
def test_converts_with_the_gate_green(changes, binary):
    made = convert(small_net(image=(16, 12, 3), **changes))
    assert len(made.binary_layers) == binary
    assert made.postflight.mismatches == ()
    graph = read_graph(made.data)
    ops = Counter(op.name for op in graph.ops)
    assert ops["LceBconv2d"] == ops["LceQuantize"] == binary
    assert ops["CONV_2D"] == 5 - binary
    assert ops["DEPTH_TO_SPACE"] == 1
    assert ops["MUL"] == 0  # batch norms are fused
    scale = changes.get("scale", 2)
    assert graph.tensors[graph.outputs[0]].shape == (1, 16 * scale, 12 * scale, 3)


def test_tiles_cover_an_axis_and_keep_away_from_inner_edges():
    for tile in (8, 40, 128):
        for length in (tile, tile + 1, 2 * tile, 5 * tile - 3):
            covered = np.zeros(length, int)
            margin = min(MARGIN, (tile - 1) // 3)
            for start, keep in _tiles(length, tile):
                assert 0 <= start <= length - tile
                assert keep.start >= (margin if start else 0)
                assert keep.stop <= (tile if start + tile == length else tile - margin)
                covered[start + keep.start : start + keep.stop] += 1
            assert (covered > 0).all(), (tile, length)


@pytest.mark.parametrize("size", [TILE, (41, 130), (24, 48)])
def test_tiles_give_what_the_network_gives_on_the_whole_image(net, file, rng, size):
    small = picture(rng, *size)
    whole = to_image(with_image_size(net, None, None)(to_input(small)[None]).numpy()[0])
    with TFLiteProcess(file) as process:
        upscaler = TiledUpscaler(process)
        made = upscaler(small)
    assert (upscaler.scale, made.shape) == (2, whole.shape)
    if size[0] < TILE[0]:  # continued below: the last rows see other pixels than zeros
        made, whole = made[:-20], whole[:-20]
    difference = np.abs(made.astype(int) - whole)
    # a sign of a value within rounding of 0 may differ; rounding to 8 bits is a tie at most
    assert (difference > 1).mean() < 1e-3
    assert difference.mean() < 0.01


def test_other_files_are_refused(tmp_path):
    image = tf.keras.Input((8, 8, 3))
    same = tf.keras.Model(image, tf.keras.layers.Conv2D(3, 3, padding="same")(image))
    path = tmp_path / "same.tflite"
    path.write_bytes(build_baseline(same, "float32"))
    with (
        TFLiteProcess(path) as process,
        pytest.raises(UsageError, match=r"enlarges no images: it maps \(1, 8, 8, 3\)"),
    ):
        TiledUpscaler(process)


def test_verification_compares_images(net, file, images):
    report = verify(net, file, images[:3], per_layer_images=2)
    assert report.passed, report.reasons
    assert len(report.layers) == 3
    assert report.outputs.least_psnr > 60
    assert report.outputs.worst_difference < 0.2
    assert report.outputs.agreement == 1


def test_verification_finds_another_network(file, images):
    tf.keras.utils.set_random_seed(6)
    report = verify(small_net(), file, images[:3], per_layer_images=1)
    assert not report.passed


@pytest.mark.parametrize("fmt", ["float32", "int8"])
def test_baselines_are_verified_as_images(fmt, images):
    twin = small_net(precision="float32", image=(16, 16, 3))
    real = to_input(resized(load_sample().calibration.images[:32], (16, 16, 3)))
    data = build_baseline(twin, fmt, real)
    report = verify(twin, data, images[:4])
    assert report.passed, report.reasons
    assert report.outputs.least_psnr > {"float32": 90, "int8": 30}[fmt]
    assert report.kind == fmt


@pytest.fixture
def folder(tmp_path, rng):
    path = tmp_path / "images"
    path.mkdir()
    for name, size in {"a.png": (64, 81), "b.png": (130, 50)}.items():
        Image.fromarray(picture(rng, *size)).save(path / name)
    return path


def test_commands_take_networks_that_enlarge(
    irnet: Irnet,  # noqa: F811
    tmp_path: Path,
    folder: Path,
) -> None:
    name, file = "srresnet-lite-x2-w1a1", tmp_path / "x2.tflite"
    made = irnet("convert", name, "--untrained", "--image-size", "32x40", "-o", file)
    assert made.status == 0, made.err
    results = []
    for arguments in ((name, "--untrained"), (file,)):
        scored = irnet("eval", *arguments, "--data", folder, "--json", "-")
        assert scored.status == 0, scored.err
        results.append(json.loads(scored.out))
    for result in results:
        assert (result["scale"], result["num_examples"]) == (2, 2)
        assert [image["name"] for image in result["images"]] == ["a.png", "b.png"]
        for key in ("psnr", "ssim", "bicubic_psnr", "bicubic_ssim"):
            values = [image[key] for image in result["images"]]
            assert result[key] == pytest.approx(np.mean(values))
    keras, device = results
    assert keras["runtime"].startswith("Keras")
    assert device["psnr"] == pytest.approx(keras["psnr"], abs=0.05)
    assert device["bicubic_psnr"] == keras["bicubic_psnr"]
    text = irnet("eval", file, "--data", folder, "--limit", "1").out
    assert "num_examples: 1" in text
    assert "  a.png: " in text
    checked = irnet("verify", name, file, "--untrained", "--images", "2", "--json", "-")
    assert checked.status == 0, checked.err
    assert json.loads(checked.out)["outputs"]["least_psnr"] > 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "resnet20-w1a1-cifar10", "--data", "FOLDER"], "is for networks that enlarge"),
        (
            ["eval", "srresnet-lite-x2-w1a1", "--untrained", "--data", "x"],
            "must be a folder of images or one of",
        ),
        (
            [
                "eval",
                "srresnet-lite-x2-w1a1",
                "--untrained",
                "--data",
                "FOLDER",
                "--split",
                "train",
            ],
            "--split goes with a data set",
        ),
        (
            ["eval", "srresnet-lite-x2-w1a1", "--untrained", "--data", "sample"],
            "takes inputs of shape",
        ),
        (
            ["convert", "srresnet-lite-x2-w1a1", "--untrained", "--image-size", "4", "-o", "OUT"],
            "--image-size must be 8 to 4096",
        ),
        (
            ["convert", "resnet20-w1a1-cifar10", "--image-size", "64x64", "-o", "OUT"],
            "--image-size goes with networks that enlarge images, not resnet20",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    irnet: Irnet,  # noqa: F811
    tmp_path: Path,
    folder: Path,
    arguments: list[str],
    message: str,
) -> None:
    words = {"FOLDER": str(folder), "OUT": str(tmp_path / "o.tflite")}
    result = irnet(*[words.get(a, a) for a in arguments])
    assert result.status == 2
    assert message in result.err
    assert result.err.strip().splitlines()[-1].startswith("irnet: error: ")


@pytest.mark.slow
def test_weights_of_a_run_convert_at_a_size(irnet: Irnet, tmp_path: Path) -> None:  # noqa: F811
    from irnet_keras.models import build_model, network_options
    from irnet_keras.recipes import get_recipe

    config = get_recipe("srresnet-lite-x4-w1a1-div2k")
    weights = tmp_path / "last.safetensors"
    model = build_model(**network_options(config.model_dump()))
    save_weights(model, weights, {"config": config.model_dump_json()})
    file = tmp_path / "f.tflite"
    made = irnet("baseline", weights, "--format", "float32", "--image-size", "16", "-o", file)
    assert made.status == 0, made.err
    graph = read_graph(file)
    assert graph.tensors[graph.outputs[0]].shape == (1, 64, 64, 3)


def test_bicubic_of_the_report_is_the_baseline(rng):
    pair = make_pair("a", picture(rng, 40, 40), 2)
    score = score_upscaling([pair], 2, lambda small: np.repeat(np.repeat(small, 2, 0), 2, 1))
    assert score.bicubic_psnr > score.psnr
