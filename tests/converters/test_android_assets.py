"""What ``irnet android-assets`` writes for the app, and what it refuses."""

import hashlib
import json

import numpy as np
import pytest

from converters import android_assets
from irnet_cli.commands import android_assets as command
from irnet_keras.data.cifar10 import LABELS
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.errors import UsageError
from irnet_keras.models.weights import save_arrays

FLOAT = "resnet20-float32-cifar10"


@pytest.fixture
def no_conversion(monkeypatch):
    """Conversion itself has its own tests; here its result is the build's name."""

    def convert(entry, build, model, log):
        precision = "w1a1" if build == "1-bit" else build
        name = f"{entry.network}-{precision}-{entry.dataset}"
        return android_assets.Asset(name, build, entry, build.encode(), {"float": 1})

    monkeypatch.setattr(android_assets, "_convert", convert)


def test_manifest_names_every_file_with_its_hash(tmp_path, no_conversion):
    out = tmp_path / "assets"
    manifest = android_assets.write_assets(["resnet20-w1a1-cifar10", FLOAT], out, load=str)
    assert json.loads((out / "models.json").read_text()) == manifest
    assert [row["build"] for row in manifest["models"]] == ["1-bit", "float32", "int8"]
    assert {row["network"] for row in manifest["models"]} == {"resnet20-cifar10"}
    for row in manifest["models"]:
        content = (out / row["file"]).read_bytes()
        assert row["bytes"] == len(content)
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["size"] == 32
    (dataset,) = manifest["datasets"]
    assert dataset["labels"] == list(LABELS)


def test_scale_and_shift_are_the_evaluation_preprocessing(rng):
    images = rng.integers(0, 256, (2, 5, 7, 3), np.uint8)
    stated = json.loads(json.dumps(android_assets.preprocessing()))
    scale, shift = (np.array(stated[key], np.float32) for key in ("scale", "shift"))
    assert np.array_equal(images.astype(np.float32) * scale - shift, preprocess(images))


def test_labels_of_other_data_sets_come_from_the_user(tmp_path, no_conversion):
    labels = [f"class {i}" for i in range(100)]
    manifest = android_assets.write_assets(
        [FLOAT, "resnet20-float32-cifar100"], tmp_path, load=str, labels=labels
    )
    assert [row["labels"] for row in manifest["datasets"]] == [list(LABELS), labels]


def test_weights_of_a_training_are_a_model(tmp_path, no_conversion):
    config = {"name": "mine", "network": "resnet20", "precision": "w1a1", "dataset": "cifar10"}
    config |= {"structure": "bireal", "pad_values": 1.0}
    path = tmp_path / "mine.safetensors"
    save_arrays(path, {"a": np.zeros(1, np.float32)}, {"config": json.dumps(config)})
    manifest = android_assets.write_assets([str(path), FLOAT], tmp_path, load=str)
    assert [row["name"] for row in manifest["models"]] == [
        "resnet20-w1a1-cifar10",
        "resnet20-float32-cifar10",
        "resnet20-int8-cifar10",
    ]
    with pytest.raises(UsageError, match="each network once"):
        android_assets.check_models([str(path), "resnet20-w1a1-cifar10"], None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\na\n", "every class needs its own name"),
        (b"a\nb\x1b[31m\n", "printable characters"),
        (b"x" * 81, "at most 80"),
        (b"\xff\xfe", "cannot be read as text"),
    ],
)
def test_label_files_that_are_refused(tmp_path, content, message):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        command._read_labels(path)


def test_label_files_of_other_editors(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffa\r\n\r\n b c \r\n".encode())
    assert command._read_labels(path) == ["a", "b c"]


def test_outside_a_checkout_the_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--out is needed outside a checkout"):
        command.android_assets([FLOAT])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "labels", "message"),
    [
        (["resnet20-w1a32-cifar10"], None, "w1a1 and float32 models, not w1a32"),
        (["resnet18-w1a1-imagenet"], None, "images of cifar10, cifar100, not of imagenet"),
        (["resnet20-w1a1-cifar100"], None, "needs --labels, a file with 100 lines"),
        (["resnet20-w1a1-cifar100"], ["a"], "must have 100 lines .* got 1"),
        ([FLOAT, FLOAT], None, "each network once"),
        ([FLOAT], ["a"], "--labels goes with data sets other than cifar10"),
        (["resnet2O-float32-cifar10"], None, "unknown model"),
    ],
)
def test_refusals(tmp_path, no_conversion, names, labels, message):
    with pytest.raises(UsageError, match=message):
        android_assets.write_assets(names, tmp_path, load=str, labels=labels)
