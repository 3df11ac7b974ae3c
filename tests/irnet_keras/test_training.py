"""Training runs on small real data: resume after SIGKILL, NaN, damaged checkpoints."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.models import build_model
from irnet_keras.models.networks import DATASETS, NETWORKS
from irnet_keras.models.weights import load_arrays
from irnet_keras.recipes import RECIPES, get_recipe
from irnet_keras.training import compiling
from irnet_keras.training.checkpoint import BEST, CHECKPOINT, LAST
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.loop import train
from irnet_keras.training.run_folder import latest_run_folder, new_run_folder, read_config
from irnet_keras.training.tasks.classification import ClassificationData
from tests.irnet_keras.tiny_training import build_tiny

EPOCHS = 12
SCRIPT = """
import os, signal, sys
from pathlib import Path
from irnet_keras.training import compiling
from irnet_keras.training.loop import train
from tests.irnet_keras.test_training import configured, data
from tests.irnet_keras.tiny_training import build_tiny

compiling.build_model = build_tiny
if kill_at := int(sys.argv[2]):  # the n-th time a file is about to take its place
    fsync, calls = os.fsync, iter(range(1, 10**6))
    def count(fd):
        if next(calls) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(fd)
    os.fsync = count
train(configured(), Path(sys.argv[1]), score_test=False, data=data())
"""


def start(folder: Path, kill_at: int = 0) -> subprocess.Popen[bytes]:
    """The run of :func:`finished` in a process of its own, to be killed."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(kill_at)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2])


def configured() -> TrainConfig:
    return small(epochs=EPOCHS, learning_rate=0.01)


def small(**overrides: object) -> TrainConfig:
    values = {"epochs": 2, "batch_size": 16, "validation_images": 32, "seed": 5}
    return get_recipe("resnet20-w1a1-cifar10-short").with_overrides({**values, **overrides})


def data():
    sample = load_sample()
    return ClassificationData(sample.calibration[:64], sample.calibration[64:96])


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(compiling, "build_model", build_tiny)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """An uninterrupted run of a tiny network."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "build_model", build_tiny)
        train(configured(), folder, data=data(), score_test=False)
    return folder


def test_run_folder_holds_what_is_promised(finished):
    config = json.loads((finished / "config.json").read_text())
    assert config["seed"] == 5
    (environment,) = json.loads((finished / "environment.json").read_text())
    assert {"command", "packages", "git_revision", "python"} <= set(environment)
    rows = (finished / "metrics.csv").read_text().splitlines()
    assert len(rows) == EPOCHS + 1
    assert {"loss", "accuracy", "val_accuracy", "ede_t", "learning_rate"} <= set(rows[0].split(","))
    assert list((finished / "tensorboard").rglob("events.*"))
    for name in (LAST, BEST, CHECKPOINT):
        load_arrays(finished / name)
    assert json.loads((finished / "summary.json").read_text())["epochs"] == EPOCHS


@pytest.mark.slow
def test_killed_and_resumed_run_ends_in_the_same_weights(finished, tiny, tmp_path, rng):
    process = start(tmp_path)
    deadline = time.monotonic() + 300
    while not (tmp_path / CHECKPOINT).exists():
        assert process.poll() is None, "ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(float(rng.uniform(0, 0.3)))
    process.send_signal(signal.SIGKILL)
    process.wait()
    epochs_before = json.loads(load_arrays(tmp_path / CHECKPOINT)[1]["state"])["epoch"]
    assert 1 <= epochs_before < EPOCHS
    train(configured(), tmp_path, resume=True, data=data(), score_test=False)
    assert_same_run(finished, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [1, 5, 9, 10])
def test_run_killed_while_it_writes_ends_in_the_same_weights(finished, tiny, tmp_path, kill_at):
    # A file is synced before it takes its place, its folder afterwards: 1 configuration,
    # 5 best weights, 9 checkpoint; 10 is right behind the checkpoint.
    assert start(tmp_path, kill_at).wait() == -signal.SIGKILL
    assert bool(list(tmp_path.glob(".*.tmp*"))) == (kill_at != 10)
    train(configured(), tmp_path, resume=True, data=data(), score_test=False)
    assert not list(tmp_path.glob(".*.tmp*"))
    assert_same_run(finished, tmp_path)


def assert_same_run(expected_run: Path, run: Path) -> None:
    for name in (LAST, BEST, CHECKPOINT):
        expected, got = load_arrays(expected_run / name)[0], load_arrays(run / name)[0]
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(got[key], value, err_msg=f"{name}: {key}")
    assert (run / "metrics.csv").read_text() == (expected_run / "metrics.csv").read_text()


def test_finished_run_resumes_to_nothing(finished, tiny):
    before = (finished / CHECKPOINT).read_bytes()
    config = read_config(finished)
    summary = train(config, finished, resume=True, data=data(), score_test=False)
    assert summary["epochs"] == EPOCHS
    assert (finished / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 9}, r"a resumed run keeps its settings .*: seed is 5 in the run, got 9"),
        ({"batch_size": 32}, r"batch_size is 16 in the run, got 32"),
        ({"epochs": 3}, r"epochs must be at least 12, the epochs already trained"),
    ],
)
def test_resume_with_other_settings_is_refused(finished, tiny, changes, message):
    before = (finished / "config.json").read_bytes()
    config = read_config(finished).with_overrides(changes)
    with pytest.raises(UsageError, match=message):
        train(config, finished, resume=True, data=data(), score_test=False)
    assert (finished / "config.json").read_bytes() == before


def test_batch_larger_than_the_data_is_refused(tmp_path):
    with pytest.raises(UsageError, match="batch_size must be at most the 64 training images"):
        train(small(batch_size=100), tmp_path, data=data(), score_test=False)


# ImageNet's have a test of their own; of networks that differ in depth or classes only, one is fast
DEEP = ("resnet32", "resnet44", "resnet56")
REPEATED = ("cifar100-best", "resnet18-w1a1-cifar10-paper", "vgg-small-w1a1-cifar10-paper")
IN_MEMORY = [
    pytest.param(
        name,
        marks=[pytest.mark.slow] if name.startswith(DEEP) or name.endswith(REPEATED) else [],
    )
    for name in sorted(RECIPES)
    if DATASETS[get_recipe(name).dataset].in_memory
]


def has_a_twin(name: str) -> bool:
    """Whether an earlier recipe, by name, trains the same network, but for its classes."""
    names = [n for n in sorted(RECIPES) if DATASETS[get_recipe(n).dataset].in_memory]
    made = {n: (get_recipe(n).network, get_recipe(n).precision) for n in names}
    return made[name] in [made[n] for n in names[: names.index(name)]]


@pytest.mark.parametrize("name", IN_MEMORY)
def test_every_recipe_trains_two_steps(name, tmp_path, monkeypatch):
    config = get_recipe(name).with_overrides({"epochs": 1, "batch_size": 32})
    if has_a_twin(name):  # every network is trained whole once, and smaller by other recipes

        def smaller(network: str, **options: Any) -> Any:
            blocks = NETWORKS[network, options["dataset"]].settings.get("blocks")
            less = {"blocks": (1,) * len(blocks)} if blocks else {"widths": (16, 32, 32)}
            return build_model(network, **{**options, "settings": less})

        monkeypatch.setattr(compiling, "build_model", smaller)
    summary = train(config, tmp_path, data=data(), score_test=False)
    assert summary["epochs"] == 1
    arrays, metadata = load_arrays(tmp_path / LAST)
    assert metadata["recipe"] == name
    assert all(np.isfinite(a).all() for a in arrays.values())
    t = [a for key, a in arrays.items() if key.endswith("_t:0")]
    assert {float(a) for a in t} <= {np.float32(config.ede_t_max)}  # reached at the last step
    inner = sum(
        "block" in key or "stage" in key for key in arrays if key.endswith("_conv/kernel:0")
    )
    inner -= sum(
        "shortcut" in key or "stage1a" in key for key in arrays if key.endswith("/kernel:0")
    )
    assert len(t) == {"w1a1": 2, "w1a32": 1, "float32": 0}[config.precision] * inner


def test_existing_checkpoint_is_not_overwritten(finished):
    before = (finished / CHECKPOINT).read_bytes()
    with pytest.raises(UsageError, match="already holds a checkpoint; pass --resume"):
        train(small(), finished, data=data(), score_test=False)
    assert (finished / CHECKPOINT).read_bytes() == before


def test_run_killed_before_its_first_checkpoint_resumes_from_the_beginning(
    finished, tiny, tmp_path
):
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
def test_damaged_checkpoint_is_refused_and_kept(finished, tiny, tmp_path, damage):
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


def test_nan_stops_with_the_step_and_keeps_the_last_checkpoint(tiny, tmp_path):
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
