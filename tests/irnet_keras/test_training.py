"""Training runs on small real data: resume after SIGKILL, NaN, damaged checkpoints."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.models.weights import load_arrays
from irnet_keras.recipes import get_recipe
from irnet_keras.training.checkpoint import BEST, CHECKPOINT, LAST
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.loop import train
from irnet_keras.training.run_folder import latest_run_folder, new_run_folder

SCRIPT = """
import sys
from pathlib import Path
from irnet_keras.data.sample import load_sample
from irnet_keras.recipes import get_recipe
from irnet_keras.training.loop import train

sample = load_sample()
config = get_recipe("resnet20-w1a1-cifar10-short").with_overrides(dict(
    epochs=int(sys.argv[2]), batch_size=16, learning_rate=0.01, validation_images=32, seed=5))
train(config, Path(sys.argv[1]), resume=sys.argv[3] == "resume", score_test=False,
      data=(sample.calibration[:64], sample.calibration[64:96]))
"""


def small(**overrides: object) -> TrainConfig:
    values = {"epochs": 2, "batch_size": 16, "validation_images": 32, "seed": 5}
    return get_recipe("resnet20-w1a1-cifar10-short").with_overrides({**values, **overrides})


def data():
    sample = load_sample()
    return sample.calibration[:64], sample.calibration[64:96]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """An uninterrupted run of 4 epochs in its own process."""
    folder = tmp_path_factory.mktemp("whole")
    subprocess.run([sys.executable, "-c", SCRIPT, str(folder), "4", "new"], check=True)
    return folder


def test_run_folder_holds_what_is_promised(finished):
    config = json.loads((finished / "config.json").read_text())
    assert config["seed"] == 5
    (environment,) = json.loads((finished / "environment.json").read_text())
    assert {"command", "packages", "git_revision", "python"} <= set(environment)
    rows = (finished / "metrics.csv").read_text().splitlines()
    assert len(rows) == 5
    assert {"loss", "accuracy", "val_accuracy", "ede_t", "learning_rate"} <= set(rows[0].split(","))
    assert list((finished / "tensorboard").rglob("events.*"))
    for name in (LAST, BEST, CHECKPOINT):
        load_arrays(finished / name)
    assert json.loads((finished / "summary.json").read_text())["epochs"] == 4


@pytest.mark.slow
def test_killed_and_resumed_run_ends_in_the_same_weights(finished, tmp_path, rng):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), "4", "new"])
    deadline = time.monotonic() + 300
    while not (tmp_path / CHECKPOINT).exists():
        assert process.poll() is None, "ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(float(rng.uniform(0, 0.3)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    epochs_before = json.loads(load_arrays(tmp_path / CHECKPOINT)[1]["state"])["epoch"]
    assert 1 <= epochs_before < 4
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), "4", "resume"], check=True)
    for name in (LAST, BEST, CHECKPOINT):
        expected, got = load_arrays(finished / name)[0], load_arrays(tmp_path / name)[0]
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(got[key], value, err_msg=f"{name}: {key}")
    assert (tmp_path / "metrics.csv").read_text() == (finished / "metrics.csv").read_text()


def test_finished_run_resumes_to_nothing(finished):
    before = (finished / CHECKPOINT).read_bytes()
    summary = train(small(epochs=4), finished, resume=True, data=data(), score_test=False)
    assert summary["epochs"] == 4
    assert (finished / CHECKPOINT).read_bytes() == before


def test_existing_checkpoint_is_not_overwritten(finished):
    before = (finished / CHECKPOINT).read_bytes()
    with pytest.raises(UsageError, match="already holds a checkpoint; pass --resume"):
        train(small(), finished, data=data(), score_test=False)
    assert (finished / CHECKPOINT).read_bytes() == before


def test_run_killed_before_its_first_checkpoint_resumes_from_the_beginning(finished, tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,loss\n0,1.0\n")  # later than the checkpoint
    lines = []
    train(small(epochs=1), tmp_path, resume=True, data=data(), score_test=False, log=lines.append)
    assert "starting from the beginning" in lines[0]
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 2


def test_latest_run_is_the_highest_number(tmp_path):
    for name in ("r-1", "r-10", "r-9", "r-x", "rr-11"):
        (tmp_path / name).mkdir()
    assert latest_run_folder("r", tmp_path).name == "r-10"
    with pytest.raises(UsageError, match="nothing to resume: no run of q in"):
        latest_run_folder("q", tmp_path)
    assert new_run_folder("r", tmp_path).name == "r-2"


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "other"])
def test_damaged_checkpoint_is_refused_and_kept(finished, tmp_path, damage):
    content = bytearray((finished / CHECKPOINT).read_bytes())
    if damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "flip":
        content[-100] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray((finished / LAST).read_bytes())
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(UsageError, match=r"not a readable safetensors|corrupted|does not fit"):
        train(small(), tmp_path, resume=True, data=data(), score_test=False)
    assert (tmp_path / CHECKPOINT).read_bytes() == bytes(content)


def test_nan_stops_with_the_step_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(CheckFailed, match=r"loss is (nan|inf) at step \d+ \(epoch \d\)"):
        train(
            small(
                optimizer="sgd",
                learning_rate=1000.0,
                warmup_epochs=0,
                epochs=8,
                precision="float32",
            ),
            tmp_path,
            data=data(),
            score_test=False,
        )


def test_unwritable_folder_is_refused(tmp_path):
    target = tmp_path / "file"
    target.write_text("")
    command = [sys.executable, "-m", "irnet_cli", "train", "resnet20-w1a1-cifar10-short"]
    command += ["--run-dir", str(target / "run")]
    out = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    assert out.returncode == 2
    assert out.stderr.strip() == f"irnet: error: cannot create folder {target}/run: Not a directory"
