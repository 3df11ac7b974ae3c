"""Training on several devices: the same losses as on one, lost workers, missing devices."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from irnet_keras.errors import UsageError
from irnet_keras.models.weights import load_arrays
from irnet_keras.training.checkpoint import CHECKPOINT
from irnet_keras.training.strategies import Devices, choose_devices

# The float network: the binary ones turn a rounding into a flipped sign and other losses.
SETTINGS = ("precision=float32", "sync_batch_norm=true", "weight_decay=0.05", "optimizer=sgd")
SETTINGS += ("learning_rate=0.05",)
ROOT = Path(__file__).resolve().parents[2]
TWO = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}


def start(folder: Path, strategy: str, *words: str, task: dict[str, object] | None = None):
    folder.mkdir(exist_ok=True)
    module = ("-m", "tests.irnet_keras.distributed_worker")
    environment = {**os.environ, "TF_CONFIG": json.dumps(task) if task else ""}
    return subprocess.Popen(
        [sys.executable, *module, str(folder), strategy, *SETTINGS, *words],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(folder: Path, *words: str, die_at: int = 0, by: int = signal.SIGKILL):
    """Two workers on loopback; the second one gets a signal after ``die_at`` steps."""
    with socket.socket() as a, socket.socket() as b:
        for s in (a, b):
            s.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{s.getsockname()[1]}" for s in (a, b)]

    def one(index: int, *more: str):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        return start(folder, "multiworker", *words, *more, task=task)

    return one(0), one(1, "--die-at", str(die_at), "--signal", str(int(by)))


def finish(*processes: subprocess.Popen) -> list[tuple[int, str]]:
    return [(p.returncode, err) for p in processes for _, err in [p.communicate(timeout=120)]]


def losses(folder: Path) -> np.ndarray:
    with (folder / "metrics.csv").open() as f:
        return np.array([[float(r[k]) for k in ("loss", "val_loss")] for r in csv.DictReader(f)])


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """The run that all strategies must repeat, on one device."""
    folder = tmp_path_factory.mktemp("one")
    ((status, err),) = finish(start(folder, "none"))
    assert status == 0, err
    return folder


def assert_same_losses(folder: Path, expected: Path) -> None:
    # Sums over 16 images of 1,024 pixels, added up in another order: about sqrt(16384) * 2**-24,
    # relative, or 1e-5, in a step; every step starts from the differences of the one before.
    found, wanted = losses(folder), losses(expected)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.slow
def test_two_replicas_have_the_losses_of_one_device(one, tmp_path):
    ((status, err),) = finish(start(tmp_path, "mirrored", "--cpus", "2"))
    assert status == 0, err
    assert_same_losses(tmp_path, one)


@pytest.mark.slow
def test_two_workers_have_the_losses_of_one_and_survive_a_killed_worker(one, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for status, err in finish(*start_two(whole)):
        assert status == 0, err
    assert_same_losses(whole, one)
    assert len(json.loads((whole / "environment.json").read_text())) == 1  # one process writes

    (first, err), (second, _) = finish(*start_two(killed, "checkpoint_steps=3", die_at=8))
    assert second == -signal.SIGKILL
    assert first == 1
    assert err.splitlines()[-1].startswith("error: worker 0 of 2 lost the others (")
    assert err.splitlines()[-1].endswith(f"with --resume --run-dir {killed}")
    for status, err in finish(*start_two(killed, "checkpoint_steps=3", "--resume")):
        assert status == 0, err
        assert "resuming after epoch 1 and 3 of 4 steps of 3" in err
    np.testing.assert_array_equal(losses(killed), losses(whole))


@pytest.mark.slow
def test_interrupted_worker_takes_the_other_along_with_a_checkpoint(tmp_path):
    both = finish(*start_two(tmp_path, die_at=6, by=signal.SIGTERM))
    for status, err in both:
        assert status == 130, err
        assert "stopped after step 2 of epoch 2; checkpoint written" in err
    state = json.loads(load_arrays(tmp_path / CHECKPOINT)[1]["state"])
    assert (state["epoch"], state["step"]) == (1, 2)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"--strategy multiworker needs TF_CONFIG, for example TF_CONFIG='\{\"cluster"),
        ("{", "TF_CONFIG does not describe a cluster"),
        ("[]", "TF_CONFIG does not describe a cluster"),
        ('{"cluster": {}, "task": {"type": "worker", "index": 0}}', "no worker 0"),
        (
            json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 2}}),
            r"does not describe a cluster \(no worker 2\)",
        ),
        (
            json.dumps({"cluster": {**TWO, "ps": []}, "task": {"type": "worker", "index": 0}}),
            "only chief and worker take part, got worker, ps",
        ),
    ],
)
def test_unusable_clusters_are_refused(config, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UsageError, match=message):
        choose_devices("multiworker")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tpu", r"found no TPU; looked for the variables TPU_NAME, .* and the files /dev/accel0"),
        ("mirrored", "found no GPU and one CPU device; it needs a GPU or several"),
        ("horovod", "must be one of auto, none, mirrored, multiworker, tpu, got 'horovod'"),
    ],
)
def test_strategy_without_devices_says_so(name, message):
    import tensorflow as tf

    if name == "mirrored" and tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match=message):
        choose_devices(name)


def test_mirrored_refuses_a_cluster(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(UsageError, match="is for one machine, but TF_CONFIG is set"):
        choose_devices("mirrored")


def test_auto_is_one_device_on_one_cpu(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    import tensorflow as tf

    if len(tf.config.list_physical_devices("GPU")) > 1:
        pytest.skip("this machine has several GPUs")
    assert choose_devices("auto") == choose_devices("none") == Devices()


def test_batch_must_divide_by_the_replicas():
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(UsageError, match="a multiple of the 3 replicas of --strategy mirrored"):
        Devices(Three(), "mirrored").check_batch(16)
