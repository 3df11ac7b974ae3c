"""Shipped weights belong to the networks that carry their names."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from irnet_keras import models
from irnet_keras.errors import UsageError
from irnet_keras.files import sha256_file
from irnet_keras.models.weights import load_arrays, save_arrays
from irnet_keras.recipes import RECIPES, get_recipe
from irnet_keras.training.run_folder import write_config

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import publish_weights
from publish_weights import check_network, publish


@pytest.mark.parametrize("name", models.WEIGHTS)
def test_shipped_weights_are_of_the_network_that_load_builds(name):
    entry, metadata = models.MODELS[name], load_arrays(models.weights_path(name))[1]
    check_network(name, entry, json.loads(metadata["config"]))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_the_registry_network_of_its_name(name):
    recipe = get_recipe(name)
    network = name.rpartition("-")[0]
    check_network(network, models.get_entry(network), recipe.model_dump())


def test_weights_of_another_structure_are_not_published():
    recipe = get_recipe("resnet18-w1a1-cifar10-best").with_overrides({"structure": "bireal"})
    with pytest.raises(UsageError, match="has structure 'normal', the run 'bireal'"):
        check_network(
            "resnet18-w1a1-cifar10", models.MODELS["resnet18-w1a1-cifar10"], recipe.model_dump()
        )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """What a finished run of 8 epochs leaves behind, and folders to publish into."""
    folder = tmp_path / "run"
    folder.mkdir()
    write_config(folder, get_recipe("resnet20-w1a1-cifar10-short"))
    environment = [{"command": ["irnet", "train", "--run-dir", "/home/me"], "platform": "here"}]
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "metrics.csv").write_text("epoch,loss\n")
    scores = {f"test_accuracy_{which}": 0.5 + i / 8 for i, which in enumerate(("last", "average"))}
    (folder / "summary.json").write_text(json.dumps({"epochs": 8, "best_epoch": 7, **scores}))
    for value, which in enumerate(("last", "best", "average")):
        epoch = {"epoch": "7" if which == "best" else "8"}
        save_arrays(folder / f"{which}.safetensors", {"w": np.full(2, value)}, epoch)
    monkeypatch.setattr(publish_weights, "WEIGHTS_FOLDER", tmp_path / "weights")
    monkeypatch.setattr(publish_weights, "RUNS", tmp_path / "runs")
    return folder


NAME = "resnet20-w1a1-cifar10"


def test_average_is_published_with_its_own_score(run, tmp_path):
    row = publish(run, NAME, "average")
    published = tmp_path / "weights" / f"{NAME}.safetensors"
    assert row == f'"{NAME}": Weights("{NAME}.safetensors", "{sha256_file(published)}", ' + (
        "test_accuracy=0.625),"
    )
    assert load_arrays(published)[0]["w"].tolist() == [2, 2]
    environment = json.loads((tmp_path / "runs" / NAME / "environment.json").read_text())
    assert environment == [{"command": ["irnet", "train", "--run-dir", "RUN_DIR"]}]


def test_half_rounds_kernels_only_and_states_no_score(run, tmp_path):
    arrays = {"kernel": np.full((2, 2), 1 / 3, np.float32), "t": np.array(1 / 3, np.float32)}
    arrays["beta"] = np.full(2, 1e6, np.float32)
    save_arrays(run / "last.safetensors", arrays, {"epoch": "8"})
    assert publish(run, NAME, "last", half=True).endswith(", ...),")
    got, metadata = load_arrays(tmp_path / "weights" / f"{NAME}.safetensors")
    assert metadata["epoch"] == "8"
    assert got["kernel"].dtype == np.float16
    np.testing.assert_array_equal(got["kernel"], np.float16(1 / 3))
    for name in ("t", "beta"):
        assert got[name].dtype == np.float32
        np.testing.assert_array_equal(got[name], arrays[name])
    save_arrays(run / "last.safetensors", {"k": np.full((1, 1), 7e4)}, {"epoch": "8"})
    with pytest.raises(UsageError, match="--half: k has values beyond float16's 65504"):
        publish(run, NAME, "last", half=True)


@pytest.mark.parametrize(
    ("which", "missing", "message"),
    [
        ("average", "average.safetensors", r"no average: it takes a recipe with ema_decay or aver"),
        ("last", "last.safetensors", r"last.safetensors does not exist"),
        ("last", "summary.json", r"summary.json cannot be read"),
        ("last", "metrics.csv", r"has no metrics.csv$"),
        ("best", None, r"summary.json has no test_accuracy_best: the run was not scored"),
        ("last", "environment.json", r"environment.json cannot be read"),
    ],
)
def test_run_that_lacks_something_is_refused_before_anything_is_copied(
    run, which, missing, message, tmp_path
):
    if missing:
        (run / missing).unlink()
    with pytest.raises(UsageError, match=message):
        publish(run, NAME, which)
    assert not (tmp_path / "weights").exists()


def test_weights_of_another_epoch_than_the_summary_are_refused(run):
    save_arrays(run / "average.safetensors", {"w": np.zeros(2)}, {"epoch": "6"})
    with pytest.raises(UsageError, match=r"is of epoch 6, summary.json of 8: finish the run"):
        publish(run, NAME, "average")
