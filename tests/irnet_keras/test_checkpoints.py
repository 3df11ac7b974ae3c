"""Checkpoints: inside epochs, two generations, signals; resumed runs end in the same bits."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.models.weights import load_arrays
from irnet_keras.recipes import get_recipe
from irnet_keras.training import compiling, loop
from irnet_keras.training.checkpoint import BEST, CHECKPOINT, DAMAGED, LAST, PREVIOUS
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.inspection import DIAGNOSTICS
from irnet_keras.training.interruption import Interrupted
from tests.irnet_keras.tiny_training import build_tiny, tiny_data

EPOCHS, STEPS = 3, 4
# One row for every kind of state that changes while a recipe trains.
CONFIGS: dict[str, dict[str, object]] = {
    "adam, EDE per step": {"checkpoint_steps": 3},
    "momentum, EDE per epoch, L2": {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "nesterov": True,
        "ede_update": "epoch",
        "weight_decay": 1e-3,
        "label_smoothing": 0.1,
        "precision": "w1a32",
    },
}


def configured(**settings: object) -> TrainConfig:
    values = {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.01, "seed": 5}
    return get_recipe("resnet20-w1a1-cifar10-short").with_overrides({**values, **settings})


def run(folder: Path, config: TrainConfig, resume: bool = False) -> list[str]:
    folder.mkdir(exist_ok=True)
    lines: list[str] = []
    loop.train(config, folder, resume=resume, data=tiny_data(), score_test=False, log=lines.append)
    return lines


class At(tf.keras.callbacks.Callback):
    """Does something after a step."""

    def __init__(self, step, do):
        super().__init__()
        self.step, self.do = step, do

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self.step:
            self.do()


def at_step(monkeypatch, step, do) -> None:
    schedules = loop.schedule_callbacks
    monkeypatch.setattr(loop, "schedule_callbacks", lambda *a: [*schedules(*a), At(step, do)])


def position(path: Path) -> tuple[int, int]:
    state = json.loads(load_arrays(path)[1]["state"])
    return state["epoch"], state["step"]


def assert_same_run(expected_run: Path, found: Path) -> None:
    for name in (LAST, BEST, CHECKPOINT):
        expected, got = load_arrays(expected_run / name)[0], load_arrays(found / name)[0]
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(got[key], value, err_msg=f"{name}: {key}")
    assert (found / "metrics.csv").read_text() == (expected_run / "metrics.csv").read_text()


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(compiling, "build_model", build_tiny)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Uninterrupted runs by configuration, each made once."""
    folders: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp("whole")
            run(folders[name], configured(**CONFIGS[name]))
        return folders[name]

    return get


@pytest.mark.parametrize("name", CONFIGS)
def test_interrupted_inside_an_epoch_and_resumed_is_the_same_run(
    name, whole, tmp_path, monkeypatch
):
    config = configured(**CONFIGS[name])
    with monkeypatch.context() as patch:
        at_step(patch, STEPS + 2, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(Interrupted, match="after step 2 of epoch 2"):
            run(tmp_path, config)
    assert position(tmp_path / CHECKPOINT) == (1, 2)
    lines = run(tmp_path, config, resume=True)
    assert lines[0] == f"resuming after epoch 1 and 2 of {STEPS} steps of {EPOCHS}"
    assert_same_run(whole(name), tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_damaged_newest_falls_back_to_the_previous(damage, whole, tmp_path):
    name = next(iter(CONFIGS))
    folder = shutil.copytree(whole(name), tmp_path / "damaged")
    assert position(folder / CHECKPOINT) == (EPOCHS, 0)
    assert position(folder / PREVIOUS) == (EPOCHS - 1, 3)
    if damage == "missing":  # killed between the two moves
        (folder / CHECKPOINT).unlink()
    else:
        content = (folder / CHECKPOINT).read_bytes()
        (folder / CHECKPOINT).write_bytes(content[: len(content) // 2])
    lines = run(folder, configured(**CONFIGS[name]), resume=True)
    if damage != "missing":
        assert f"warning: {folder / CHECKPOINT} is " in lines[0]
        assert lines[0].endswith(f"continuing from the previous checkpoint, {PREVIOUS}")
    assert lines[-1] == f"resuming after epoch {EPOCHS - 1} and 3 of {STEPS} steps of {EPOCHS}"
    assert (folder / DAMAGED).exists() == (damage != "missing")
    assert_same_run(whole(name), folder)


def test_two_damaged_checkpoints_are_both_named(tmp_path):
    for name in (CHECKPOINT, PREVIOUS):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(UsageError) as error:
        run(tmp_path, configured(), resume=True)
    assert str(tmp_path / CHECKPOINT) in str(error.value)
    assert str(tmp_path / PREVIOUS) in str(error.value)
    (tmp_path / PREVIOUS).unlink()
    advice = r"begin anew, train into another --run-dir without --resume$"
    with pytest.raises(UsageError, match=rf"no checkpoint is usable: .*{CHECKPOINT}.*; .*{advice}"):
        run(tmp_path, configured(), resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == b"nothing"


def test_flips_are_unknown_where_the_last_weights_are_later_than_the_checkpoint(tmp_path):
    config = configured(epochs=2, checkpoint_steps=3)
    run(tmp_path, config)
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")  # leaves (1, 3); the last weights are of (2, 0)
    run(tmp_path, config, resume=True)
    rows = [json.loads(line) for line in (tmp_path / DIAGNOSTICS).read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert {layer["flip_rate"] for layer in rows[1]["layers"]} == {None}


def test_failure_loses_no_more_than_the_interval(tmp_path, monkeypatch):
    def fail():
        raise RuntimeError("power cut")

    at_step(monkeypatch, STEPS + 3, fail)
    with pytest.raises(RuntimeError, match="power cut"):
        run(tmp_path, configured(checkpoint_steps=2))
    assert position(tmp_path / CHECKPOINT) == (1, 2)
    assert position(tmp_path / PREVIOUS) == (1, 0)


def test_signal_in_the_last_step_ends_behind_the_epoch(tmp_path, monkeypatch):
    at_step(monkeypatch, STEPS, lambda: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="after epoch 1"):
        run(tmp_path, configured())
    assert position(tmp_path / CHECKPOINT) == (1, 0)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_full_disk_is_one_line_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    def fill():
        (tmp_path / "metrics.csv").symlink_to("/dev/full")

    at_step(monkeypatch, STEPS - 1, fill)
    with pytest.raises(UsageError, match=rf"cannot write to {tmp_path}.*No space left.*--resume"):
        run(tmp_path, configured(checkpoint_steps=2))
    assert position(tmp_path / CHECKPOINT) == (0, 2)


@pytest.mark.parametrize("name", ["environment.json", "metrics.csv"])
def test_damaged_record_of_a_run_is_named_when_it_resumes(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff{")
    with pytest.raises(UsageError, match=rf"{name} cannot be read"):
        run(tmp_path, configured(), resume=True)


def test_checkpoint_of_more_images_is_refused(tmp_path, monkeypatch):
    at_step(monkeypatch, 3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        run(tmp_path, configured())
    fewer = tiny_data()
    fewer = type(fewer)(fewer.train[:32], fewer.validation_split)
    with pytest.raises(UsageError, match="it is at step 3 of an epoch, which has 2 steps"):
        loop.train(configured(), tmp_path, resume=True, data=fewer, score_test=False)


def test_second_signal_ends_at_once():
    script = """if True:
        import os, signal
        from irnet_keras.training.interruption import Interruption
        interruption = Interruption()
        with interruption.watching(lambda line: print(line, flush=True)):
            os.kill(os.getpid(), signal.SIGINT)
            print(interruption.agreed(), flush=True)
            os.kill(os.getpid(), signal.SIGINT)
            print("too late", flush=True)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGINT
    first, second = done.stdout.splitlines()
    assert first == "SIGINT: ending with a checkpoint after this step; once more ends at once"
    assert second == "True"
