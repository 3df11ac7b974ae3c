"""ImageNet's pipeline on real JPEG files, in TFDS's own format."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from local_data import jpeg, photograph, write_imagenet
from model_files import small_classifier, write_float
from PIL import Image
from typer.testing import CliRunner

from irnet_keras.data import imagenet
from irnet_keras.data.imagenet import ImageNet, decode_for_evaluation, decode_for_training, jitter
from irnet_keras.errors import UsageError
from irnet_keras.recipes import RECIPES, get_recipe
from irnet_keras.training.loop import train
from irnet_keras.training.task import Feed, get_task

TRAIN, VALIDATION = 22, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_imagenet(tmp_path_factory.mktemp("imagenet"), TRAIN, VALIDATION)


@pytest.fixture(scope="module")
def source(folder):
    return ImageNet(folder, 32)


def denormalized(image):
    return np.asarray(image) * imagenet.STD + imagenet.MEAN


@pytest.mark.parametrize("transpose", [False, True])
def test_evaluation_resizes_the_shorter_side_and_cuts_the_middle(transpose):
    photo = photograph()
    photo = np.ascontiguousarray(photo.transpose(1, 0, 2)) if transpose else photo
    out = denormalized(decode_for_evaluation(tf.constant(jpeg(photo)), 56))
    height, width = (75, 64) if not transpose else (64, 75)  # 600 * 64 / 512
    small = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR))
    top, left = (height - 56) // 2, (width - 56) // 2
    expected = small[top : top + 56, left : left + 56] / 255
    assert out.shape == (56, 56, 3)
    assert np.abs(out - expected).mean() < 0.004  # a decoder's rounding: 1/255
    assert np.abs(out - expected).max() < 0.05


def test_an_image_smaller_than_the_input_is_enlarged(rng):
    small = jpeg(rng.integers(0, 256, (5, 40, 3), dtype=np.uint8))
    assert decode_for_evaluation(tf.constant(small), 32).shape == (32, 32, 3)
    assert decode_for_training(tf.constant(small), (1, 2), 32).shape == (32, 32, 3)


def test_training_crops_are_of_the_stated_sizes_and_half_are_flipped(monkeypatch):
    monkeypatch.setattr(imagenet, "jitter", lambda image, key: image)
    ramp = np.zeros((200, 200, 3), np.uint8)
    ramp[..., 0] = np.arange(200)
    ramp[..., 1] = np.arange(200)[:, None]
    data = tf.constant(jpeg(ramp))
    areas, aspects, flips = [], [], []
    for i in range(120):
        out = denormalized(decode_for_training(data, (5, i), 16))[..., :2] * 255
        # neighbours are extent / 16 apart: the slope of the ramp tells the size of the window
        width, height = np.diff(out[8, :, 0]).mean() * 16, np.diff(out[:, 8, 1]).mean() * 16
        flips.append(width < 0)
        areas.append(abs(width) * height / 200**2)
        aspects.append(abs(width) / height)
    assert 0.07 < min(areas) < 0.2
    assert 0.8 < max(areas) < 1.1
    assert 0.7 < min(aspects) < 0.85
    assert 1.2 < max(aspects) < 1.45
    assert abs(np.mean(flips) - 0.5) < 0.25  # 5 standard deviations


def test_jitter_of_a_grey_image_is_its_brightness():
    image = tf.fill([4, 4, 3], 0.5)
    values = np.array([jitter(image, (3, i)).numpy() for i in range(100)])
    assert np.ptp(values, axis=(1, 2, 3)).max() < 1e-5
    factors = values[:, 0, 0, 0] / 0.5
    assert 0.8 <= factors.min() < 0.83
    assert 1.17 < factors.max() <= 1.2


def test_jitter_changes_contrast_saturation_and_hue_within_bounds():
    image = np.zeros((2, 2, 3), np.float32)
    image[0], image[1] = (0.6, 0.3, 0.3), (0.5, 0.4, 0.4)
    out = np.array([jitter(tf.constant(image), (4, i)).numpy() for i in range(200)])
    assert out.min() >= 0
    assert out.max() <= 1
    spread = np.ptp(out[:, 0, 0], axis=-1)  # 0.3 * brightness * contrast * saturation
    assert 0.3 * 0.8**3 - 1e-3 <= spread.min() < 0.22
    assert 0.38 < spread.max() <= 0.3 * 1.2**3 + 1e-3
    largest = out[:, 0, 0].argmax(-1)
    assert set(largest) == {0}  # a tenth of the circle leaves red the largest
    turned = out[:, 0, 0, 1] - out[:, 0, 0, 2]
    assert turned.min() < -0.05
    assert turned.max() > 0.05


def batches(source, count, **options):
    data = source.training("train[:20]", batch_size=6, seed=3, **options)
    return [(x.numpy(), y.numpy()) for x, y in data.take(count)]


def test_batches_are_a_function_of_seed_and_step(source):
    whole = batches(source, 7)
    for start, epoch, step in ((3, 1, 0), (4, 1, 1)):
        resumed = batches(source, 2, first_epoch=epoch, first_step=step)
        for (xa, ya), (xb, yb) in zip(whole[start:], resumed, strict=False):
            np.testing.assert_array_equal(xa, xb)
            np.testing.assert_array_equal(ya, yb)
    labels = {7 * i for i in range(TRAIN)}
    for epoch in (0, 1):
        seen = np.concatenate([y for _, y in whole[3 * epoch : 3 * epoch + 3]])
        assert len(set(seen)) == 18  # full batches only, no repeats
        assert set(seen) <= labels
    assert any((a[1] != b[1]).any() for a, b in zip(whole[:3], whole[3:6], strict=True))


def test_processes_share_a_batch(source):
    whole = batches(source, 4)
    parts = [batches(source, 4, rows=Feed(worker=w, workers=3).rows(6)) for w in range(3)]
    for i, (x, y) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[i][0] for part in parts]), x)
        np.testing.assert_array_equal(np.concatenate([part[i][1] for part in parts]), y)


def test_evaluation_takes_every_image_once_in_order(source):
    out = list(source.evaluation("validation", batch_size=4))
    assert [len(y) for _, y in out] == [4, 2]
    labels = sorted(int(v) for _, y in out for v in y)
    assert labels == [7 * i for i in range(TRAIN, TRAIN + VALIDATION)]
    first = list(source.evaluation("validation", batch_size=4, limit=3))
    np.testing.assert_array_equal(first[0][0], out[0][0][:3])
    assert len(first) == 1


def test_mock_data_of_tfds_passes(folder):
    with tfds.testing.mock_data(num_examples=12, data_dir=str(folder)):
        mocked = ImageNet(folder, 16)
        x, y = next(iter(mocked.training("train", batch_size=12, seed=0)))
        assert x.shape == (12, 16, 16, 3)
        assert y.dtype == tf.int64
        assert np.isfinite(x.numpy()).all()
        assert next(iter(mocked.evaluation("validation")))[0].shape[1:] == (16, 16, 3)


SMALL = {"epochs": 1, "batch_size": 8, "image_size": 32, "validation_images": 4}
FAST = "resnet18-w1a1-imagenet-paper"  # the others differ in depth, precision or schedule
OF_IMAGENET = [
    pytest.param(name, marks=[] if name == FAST else [pytest.mark.slow])
    for name in RECIPES
    if get_recipe(name).dataset == "imagenet"
]


@pytest.mark.parametrize("name", OF_IMAGENET)
def test_recipe_trains_and_is_scored(name, folder, tmp_path):
    config = get_recipe(name).with_overrides(SMALL)
    assert config.peak_learning_rate == pytest.approx(0.1 * 8 / (512 if "best" in name else 256))
    summary = train(config, tmp_path, data_dir=str(folder))
    assert summary["epochs"] == 1
    assert summary["num_test_images"] == VALIDATION
    assert 0 <= summary["test_accuracy_last"] <= summary["test_top5_last"] <= 1
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert "val_top5" in rows[0]
    command = ["eval", str(tmp_path / "last.safetensors"), "--data", "imagenet2012"]
    from irnet_cli.app import app

    out = CliRunner().invoke(app, [*command, "--data-dir", str(folder), "--json", "-"])
    result = json.loads(out.stdout)
    assert result["num_examples"] == VALIDATION
    assert result["accuracy"] == summary["test_accuracy_last"]
    assert result["top5"] == summary["test_top5_last"]


def test_a_tflite_file_is_scored_in_parts(folder, tmp_path, monkeypatch):
    from irnet_cli.app import app

    monkeypatch.setattr("irnet_cli.commands.eval.STREAMED", 4)
    model = small_classifier(1000)
    kernel = np.zeros((8, 1000))
    kernel[:, 7 * (TRAIN + 1)] = 1  # one image of the validation split has this label
    model.layers[-1].set_weights([kernel, np.zeros(1000)])
    file = write_float(model, tmp_path / "float.tflite")
    command = ["eval", str(file), "--data", "imagenet2012", "--data-dir", str(folder)]
    out = CliRunner().invoke(app, [*command, "--json", "-"])
    result = json.loads(out.stdout)
    assert (result["num_examples"], result["accuracy"]) == (VALIDATION, 1 / VALIDATION)
    file = write_float(small_classifier(10), tmp_path / "ten.tflite")
    error = CliRunner().invoke(app, ["eval", str(file), *command[2:]]).exception
    assert "has 10 classes, imagenet2012 1000: train one with num_classes=1000" in str(error)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"train_images": 20}, "at most the 22 training images together, got 20 and 4"),
        ({"validation_images": 22}, "at most the 22 training images together"),
    ],
)
def test_more_images_than_there_are_is_refused(folder, overrides, message):
    config = get_recipe(FAST).with_overrides({**SMALL, **overrides})
    with pytest.raises(UsageError, match=message):
        get_task(config).load(config, str(folder))


def test_missing_data_says_how_to_get_it(tmp_path):
    with pytest.raises(
        UsageError, match=r"ImageNet is not in .*; put ILSVRC2012_img_train.tar and"
    ):
        ImageNet(tmp_path, 32)


def test_unknown_split_and_damaged_files_are_refused(folder, tmp_path, source):
    with pytest.raises(
        UsageError, match=r"split 'test' of ImageNet: .*accepted: train, validation"
    ):
        source.count("test")
    broken = tmp_path / "imagenet2012" / "5.1.0"
    broken.mkdir(parents=True)
    (broken / "dataset_info.json").write_text("garbage")
    with pytest.raises(UsageError, match=r"ImageNet in .* cannot be read"):
        ImageNet(tmp_path, 32)
