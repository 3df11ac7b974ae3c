"""Recipes and overrides: what is accepted, and one clear line for what is not."""

import pytest

from irnet_keras.errors import UsageError
from irnet_keras.models.networks import DATASETS, NETWORKS
from irnet_keras.recipes import RECIPES, get_recipe
from irnet_keras.training.config import TrainConfig, parse_config, parse_set


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_is_valid_and_carries_its_name(name):
    recipe = get_recipe(name)
    assert recipe.name == name
    assert TrainConfig.model_validate_json(recipe.model_dump_json()) == recipe


def test_unknown_recipe_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown recipe 'x'; accepted: resnet20-w1a1-cifar10"):
        get_recipe("x")
    with pytest.raises(UsageError, match=r"did you mean resnet18-w1a1-imagenet-paper or resnet"):
        get_recipe("resnet18-w1a1-imagnet-papr")


@pytest.mark.parametrize("epochs", ["1", 1, "60"])
def test_warm_up_scales_with_the_length(epochs):
    recipe = get_recipe("resnet20-w1a1-cifar10-short")
    changed = recipe.with_overrides({"epochs": epochs})
    assert changed.warmup_epochs == pytest.approx(recipe.warmup_epochs * int(epochs) / 30)
    assert recipe.with_overrides({"epochs": 4, "warmup_epochs": 2}).warmup_epochs == 2


def test_overrides_are_converted_and_the_original_kept():
    recipe = get_recipe("resnet20-w1a1-cifar10-paper")
    changed = recipe.with_overrides(parse_set(["learning_rate=0.05", "train_images=none"]))
    assert changed.learning_rate == 0.05
    assert recipe.learning_rate == 0.1


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["lr=0.1"], r"unknown setting 'lr'; accepted: name, network"),
        (
            ["lerning_rate=1"],
            r"unknown setting 'lerning_rate'; did you mean learning_rate\? accepted",
        ),
        (["network=resnet2"], r"'resnet2' for 'cifar10'; did you mean resnet.*accepted: resnet20"),
        (["dataset=imagenet"], r"unknown network 'resnet20' for 'imagenet'; .*resnet18, resnet34"),
        (["dataset=cifar"], r"unknown data set 'cifar'; did you mean cifar10 or cifar100\?"),
        (["network=vgg-small"], r"structure of vgg-small must be one of plain, got 'bireal'"),
        (
            ["num_classes=9"],
            r"at least 10, the classes of cifar10; got 9: set num_classes=10 or none",
        ),
        (["stem=3x3-3x3"], r"stem must be none for resnet20 on cifar10"),
        (["downsample=binary"], r"resnet20, which has no 1x1 convolutions; got 'binary'"),
        (["step_boundaries=0.5,0.2"], r"step_boundaries: must rise, from above 0 to below 1"),
        (["step_boundaries=half"], r"step_boundaries\.0: .*valid number"),
        (["epochs=0"], r"epochs: .* greater than or equal to 1, got '0'"),
        (["epochs=ten"], r"epochs: .* valid integer.*, got 'ten'"),
        (["precision=w2a2"], r"precision: Input should be 'w1a1', 'w1a32' or 'float32'"),
        (["ede_t_min=20"], r"ede_t_min must not exceed ede_t_max, got 20.0 > 10.0"),
        (["warmup_epochs=400"], r"warmup_epochs must be less than epochs, got 400.0 of 400"),
        (["train_images=5"], r"train_images must be at least batch_size, got 5 < 128"),
        (["learning_rate=nan"], r"learning_rate: "),
        (["epochs"], r"--set takes key=value, got 'epochs'"),
        (["=3"], r"--set takes key=value, got '=3'"),
        (["epochs=3", "epochs=4"], r"--set names epochs twice"),
    ],
)
def test_bad_settings_are_refused(pairs, message):
    with pytest.raises(UsageError, match=message):
        get_recipe("resnet20-w1a1-cifar10-paper").with_overrides(parse_set(pairs))


def test_every_network_of_the_registry_can_be_trained():
    for (network, dataset), made in NETWORKS.items():
        for structure in made.structures:
            config = TrainConfig(name="x", network=network, dataset=dataset, structure=structure)
            assert config.output_classes == DATASETS[dataset].num_classes
            assert config.input_size == DATASETS[dataset].image[0]


def test_learning_rate_scales_with_the_batch_where_that_is_asked_for():
    recipe = get_recipe("resnet18-w1a1-imagenet-paper")
    for batch_size, rate in ((2048, 0.8), (1024, 0.4), (64, 0.025)):
        changed = recipe.with_overrides({"batch_size": str(batch_size)})
        assert changed.peak_learning_rate == pytest.approx(rate)
    changed = recipe.with_overrides(parse_set(["base_batch_size=none", "step_boundaries=0.5,0.75"]))
    assert changed.peak_learning_rate == 0.8
    assert changed.step_boundaries == (0.5, 0.75)


def test_config_file_with_an_unknown_key_is_refused():
    with pytest.raises(UsageError, match=r"c\.json: colour: Extra inputs are not permitted"):
        parse_config({"name": "x", "colour": 1}, "c.json")
