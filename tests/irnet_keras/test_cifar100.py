"""CIFAR-100 through TFDS: data, a run, evaluation, and what does not go together."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from local_data import write_cifar100
from typer.testing import CliRunner

from irnet_cli.app import app
from irnet_keras.data.cifar10 import LabelledImages, load_cifar, load_train_validation
from irnet_keras.data.prepare import prepare
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError
from irnet_keras.models import build_model
from irnet_keras.models.weights import save_weights
from irnet_keras.recipes import get_recipe
from irnet_keras.training.loop import train
from irnet_keras.training.tasks.classification import ClassificationData

RECIPE = "resnet20-w1a1-cifar100-best"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cifar100(tmp_path_factory.mktemp("cifar100"), train=48, test=40)


def test_images_and_labels_are_those_of_the_files(folder):
    data = load_cifar("cifar100", "train", folder)
    assert data.images.shape == (48, 32, 32, 3)
    images = {image.tobytes(): i for i, image in enumerate(load_sample().test.images[:48])}
    places = [images[image.tobytes()] for image in data.images]
    np.testing.assert_array_equal(data.labels, [3 * i % 100 for i in places])
    training, validation = load_train_validation(16, folder, name="cifar100")
    assert (len(training), len(validation)) == (32, 16)
    with pytest.raises(UsageError, match="validation_images must be less than 48, the training im"):
        load_train_validation(48, folder, name="cifar100")


def test_mock_data_of_tfds_passes(folder):
    with tfds.testing.mock_data(num_examples=7, data_dir=str(folder)):
        data = load_cifar("cifar100", "test", folder)
    assert data.images.shape == (7, 32, 32, 3)
    assert data.images.dtype == np.uint8
    assert ((data.labels >= 0) & (data.labels < 100)).all()


def test_refused_training_leaves_nothing_behind(folder, tmp_path):
    command = ["train", RECIPE, "--run-dir", str(tmp_path / "run"), "--set", "batch_size=40"]
    command += ["--set", "validation_images=16", "--data-dir"]
    for data_dir, message in (
        (folder, "batch_size must be at most the 32 training images, got 40"),
        (tmp_path, f"CIFAR-100 is not in {tmp_path}"),
    ):
        error = CliRunner().invoke(app, [*command, str(data_dir)]).exception
        assert message in str(error)
        assert list(tmp_path.iterdir()) == []


def test_recipe_trains_and_is_scored_by_name(folder, tmp_path):
    overrides = {"epochs": 1, "batch_size": 32, "validation_images": 16}
    summary = train(get_recipe(RECIPE).with_overrides(overrides), tmp_path, data_dir=str(folder))
    assert summary["num_test_images"] == 40
    command = ["eval", str(tmp_path / "last.safetensors"), "--data", "cifar100", "--json", "-"]
    out = CliRunner().invoke(app, [*command, "--data-dir", str(folder)])
    result = json.loads(out.stdout)
    assert (result["num_examples"], result["accuracy"]) == (40, summary["test_accuracy_last"])


def evaluated(folder, tmp_path, classes):
    model = build_model("vgg-small", dataset="cifar10", num_classes=classes)
    config = {"name": "x", "network": "vgg-small", "precision": "w1a1", "structure": "plain"}
    config |= {"pad_values": 0, "num_classes": classes}
    save_weights(model, tmp_path / "w.safetensors", {"config": json.dumps(config)})
    command = ["eval", str(tmp_path / "w.safetensors"), "--data", "cifar100"]
    return CliRunner().invoke(app, [*command, "--data-dir", str(folder), "--json", "-"])


def test_a_network_with_fewer_classes_says_what_to_set(folder, tmp_path):
    error = evaluated(folder, tmp_path, 10).exception
    assert isinstance(error, UsageError)
    assert str(error).endswith("has 10 classes, cifar100 100: train one with num_classes=100")


def test_a_network_with_more_classes_is_scored(folder, tmp_path):
    assert json.loads(evaluated(folder, tmp_path, 120).stdout)["num_examples"] == 40


@pytest.mark.parametrize(
    ("shape", "label", "message"),
    [
        ((28, 28), 0, "28x28 pixels, the network takes 32x32: set image_size=28"),
        ((32, 40), 0, "32x40 pixels, the network takes 32x32: cut them square"),
        ((32, 32), 102, "the data has 103 classes, the network 100: set num_classes=103"),
    ],
)
def test_other_images_say_what_to_set(tmp_path, rng, shape, label, message):
    images = rng.integers(0, 256, (40, *shape, 3), dtype=np.uint8)
    data = LabelledImages(images, np.full(40, label))
    config = get_recipe(RECIPE).with_overrides({"epochs": 1, "batch_size": 32})
    with pytest.raises(UsageError, match=message):
        ClassificationData(data, data[:0]).training(config)


def test_preparing_is_refused_where_it_cannot_be(tmp_path):
    with pytest.raises(UsageError, match="--source must be auto or tfds for cifar100, got 'npm'"):
        prepare("cifar100", "npm", tmp_path)
    with pytest.raises(UsageError, match=r"'cifar'; did you mean cifar10 or cifar100\? accepted"):
        prepare("cifar", "tfds", tmp_path)
    with pytest.raises(
        UsageError, match=r"CIFAR-100 is not in .*; run: irnet data prepare cifar100"
    ):
        load_cifar("cifar100", "test", tmp_path)
