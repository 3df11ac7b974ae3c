"""``irnet train --dry-run``: sizes by hand, steps really run, nothing written."""

import json

import pytest

from irnet_cli.commands.train import train
from irnet_keras.errors import UsageError
from irnet_keras.recipes import get_recipe
from irnet_keras.training import compiling
from irnet_keras.training.plan import make_plan
from tests.irnet_keras.tiny_training import build_tiny, tiny_data

RECIPE = "resnet20-w1a1-cifar10-short"
BATCH = 16


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(compiling, "build_model", build_tiny)
    monkeypatch.delenv("TF_CONFIG", raising=False)


def test_dry_run_reports_sizes_and_time_and_writes_nothing(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train(RECIPE, set_=[f"batch_size={BATCH}"], data_dir=tmp_path, dry_run=True, json_file="-")
    assert list(tmp_path.iterdir()) == []
    plan = json.loads(capsys.readouterr().out)
    assert plan["config"]["batch_size"] == BATCH
    # stem 3x3x3x8; two binary 3x3x8x8; four batch norms of 8 channels; dense 8x10 + 10
    assert plan["counts"]["params"] == 216 + 2 * 576 + 4 * 4 * 8 + 90
    assert plan["counts"]["binary_params"] == 2 * 576
    assert plan["counts"]["binary_macs"] == 2 * 576 * 1024
    assert plan["counts"]["float_macs"] == 216 * 1024 + 80
    memory = plan["memory_bytes"]
    trainable = 216 + 2 * 576 + 4 * 2 * 8 + 90
    assert memory["gradients"] == 4 * trainable
    assert memory["parameters"] == 4 * (trainable + 4 * 2 * 8 + 4)  # moving averages, EDE's t
    assert memory["optimizer"] == 4 * 2 * trainable + 8  # Adam: two slots, an int64 counter
    # the image; 11 layers and 2 signs of 32x32x8; pooled, normalised, logits
    assert memory["activations"] == 4 * BATCH * (3072 + 13 * 8192 + 8 + 8 + 10)
    assert memory["estimate"] == sum(
        memory[k] for k in ("parameters", "gradients", "optimizer", "activations")
    )
    speed = plan["speed"]
    assert speed["data"].startswith(f"random images, for CIFAR-10 is not in {tmp_path}")
    assert speed["steps_timed"] == 20
    assert speed["num_images"] == 50_000
    assert speed["steps_per_epoch"] == 50_000 // BATCH
    assert speed["seconds_per_epoch"] == pytest.approx(3125 * speed["seconds_per_step"])
    assert speed["seconds_in_all"] == pytest.approx(30 * speed["seconds_per_epoch"])


def test_plan_of_real_data_counts_its_validation(tiny):
    config = get_recipe(RECIPE).with_overrides({"batch_size": BATCH})
    plan = make_plan(config, data=tiny_data())
    assert plan.speed.data == "cifar10, as it is trained on"
    assert plan.speed.num_images == 64
    assert plan.speed.seconds_per_epoch >= 4 * plan.speed.seconds_per_step
    assert "stage1_block1a_conv" in plan.summary


def test_networks_for_any_size_are_planned_for_the_size_of_crops(tmp_path):
    config = get_recipe("srresnet-lite-x2-w1a1-div2k").with_overrides(
        {"batch_size": 2, "crop_size": 8}
    )
    plan = make_plan(config, data_dir=str(tmp_path))
    assert plan.image == (8, 8, 3)
    assert plan.speed.data.startswith("random images, for ")
    assert plan.speed.seconds_per_epoch is None
    assert plan.counts.binary_macs > 0


def test_batch_larger_than_the_data_is_refused(tiny):
    config = get_recipe(RECIPE).with_overrides({"batch_size": 65})
    with pytest.raises(UsageError, match="at most the 64 training images, got 65"):
        make_plan(config, data=tiny_data())
