"""Shipped weights belong to the networks that carry their names."""

import json
import sys
from pathlib import Path

import pytest

from irnet_keras import models
from irnet_keras.errors import UsageError
from irnet_keras.models.weights import load_arrays
from irnet_keras.recipes import get_recipe

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from publish_weights import check_network


@pytest.mark.parametrize("name", models.WEIGHTS)
def test_shipped_weights_are_of_the_network_that_load_builds(name):
    entry, metadata = models.MODELS[name], load_arrays(models.weights_path(name))[1]
    check_network(name, entry, json.loads(metadata["config"]))


def test_weights_of_another_structure_are_not_published():
    recipe = get_recipe("resnet18-w1a1-cifar10-best")  # bireal; every name and shape is the same
    with pytest.raises(UsageError, match="has structure 'normal', the run 'bireal'"):
        check_network(
            "resnet18-w1a1-cifar10", models.MODELS["resnet18-w1a1-cifar10"], recipe.model_dump()
        )
