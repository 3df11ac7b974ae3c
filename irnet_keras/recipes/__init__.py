"""Training recipes: one module each, data only (no TensorFlow at import).

A module's docstring gives source, exact command and measured result; its ``RECIPE`` is the
configuration. ``RECIPES`` maps the names users type to the modules.
"""

import importlib

from irnet_keras.errors import UsageError
from irnet_keras.near import accepted
from irnet_keras.training.config import TrainConfig

RECIPES = {
    "resnet20-w1a1-cifar10-short": "irnet_keras.recipes.resnet20_w1a1_cifar10_short",
    "resnet20-w1a1-cifar10-best": "irnet_keras.recipes.resnet20_w1a1_cifar10_best",
    "resnet32-w1a1-cifar10-best": "irnet_keras.recipes.resnet32_w1a1_cifar10_best",
    "resnet44-w1a1-cifar10-best": "irnet_keras.recipes.resnet44_w1a1_cifar10_best",
    "resnet56-w1a1-cifar10-best": "irnet_keras.recipes.resnet56_w1a1_cifar10_best",
    "resnet18-w1a1-cifar10-best": "irnet_keras.recipes.resnet18_w1a1_cifar10_best",
    "vgg-small-w1a1-cifar10-best": "irnet_keras.recipes.vgg_small_w1a1_cifar10_best",
    "resnet20-w1a1-cifar10-paper": "irnet_keras.recipes.resnet20_w1a1_cifar10_paper",
    "resnet20-w1a32-cifar10-short": "irnet_keras.recipes.resnet20_w1a32_cifar10_short",
    "resnet20-w1a32-cifar10-paper": "irnet_keras.recipes.resnet20_w1a32_cifar10_paper",
    "resnet20-float32-cifar10-short": "irnet_keras.recipes.resnet20_float32_cifar10_short",
    "resnet32-w1a1-cifar10-paper": "irnet_keras.recipes.resnet32_w1a1_cifar10_paper",
    "resnet44-w1a1-cifar10-paper": "irnet_keras.recipes.resnet44_w1a1_cifar10_paper",
    "resnet56-w1a1-cifar10-paper": "irnet_keras.recipes.resnet56_w1a1_cifar10_paper",
    "resnet18-w1a1-cifar10-paper": "irnet_keras.recipes.resnet18_w1a1_cifar10_paper",
    "vgg-small-w1a1-cifar10-paper": "irnet_keras.recipes.vgg_small_w1a1_cifar10_paper",
    "resnet18-w1a1-imagenet-paper": "irnet_keras.recipes.resnet18_w1a1_imagenet_paper",
    "resnet34-w1a1-imagenet-paper": "irnet_keras.recipes.resnet34_w1a1_imagenet_paper",
    "resnet18-w1a32-imagenet-paper": "irnet_keras.recipes.resnet18_w1a32_imagenet_paper",
    "resnet34-w1a32-imagenet-paper": "irnet_keras.recipes.resnet34_w1a32_imagenet_paper",
    "resnet18-w1a1-imagenet-best": "irnet_keras.recipes.resnet18_w1a1_imagenet_best",
    "resnet20-w1a1-cifar100-best": "irnet_keras.recipes.resnet20_w1a1_cifar100_best",
    "resnet18-w1a1-cifar100-best": "irnet_keras.recipes.resnet18_w1a1_cifar100_best",
    "vgg-small-w1a1-cifar100-best": "irnet_keras.recipes.vgg_small_w1a1_cifar100_best",
    "srresnet-lite-x2-w1a1-photos": "irnet_keras.recipes.srresnet_lite_x2_w1a1_photos",
    "srresnet-lite-x2-w1a1-div2k": "irnet_keras.recipes.srresnet_lite_x2_w1a1_div2k",
    "srresnet-lite-x4-w1a1-div2k": "irnet_keras.recipes.srresnet_lite_x4_w1a1_div2k",
}


def get_recipe(name: str) -> TrainConfig:
    """The recipe called ``name``.

    Raises:
        UsageError: no such recipe; the message lists those that exist.
    """
    module = RECIPES.get(name)
    if module is None:
        raise UsageError(f"unknown recipe {name!r}; {accepted(name, RECIPES)}")
    recipe: TrainConfig = importlib.import_module(module).RECIPE
    return recipe
