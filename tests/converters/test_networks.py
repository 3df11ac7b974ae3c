"""Every network and option converts, each of its binary convolutions in 1 bit."""

from typing import Any

import pytest
import tensorflow as tf
from random_nets import SEED, randomize_batch_norms

from converters.explain import explain
from converters.graph import BCONV, read_graph
from converters.lce import convert
from irnet_keras import models
from irnet_keras.models.counting import count

SHALLOW = {"blocks": (1, 1), "widths": (32, 64)}
# (network, data set, input, structure, pad, settings)
OPTIONS = {
    "binary downsample, 3x3-3x3 stem": (
        "resnet18", "imagenet", (32, 48, 3), "bireal", 0,
        {**SHALLOW, "stem": "3x3-3x3", "shortcut": "binary-conv1x1"},
    ),
    "binary downsample, 7x7 stem, pad 1": (
        "resnet18", "imagenet", (32, 32, 3), "normal", 1,
        {**SHALLOW, "shortcut": "binary-conv1x1"},
    ),
    "ResNet-18 of CIFAR, bireal": ("resnet18", "cifar10", (16, 16, 3), "bireal", 0, SHALLOW),
    "ResNet-20, normal, pad 1": (
        "resnet20", "cifar100", (16, 16, 3), "normal", 1, {"blocks": (1, 1), "widths": (16, 32)},
    ),
    "VGG-Small, pad 1": (
        "vgg-small", "cifar100", (16, 16, 3), "plain", 1, {"widths": (32, 32, 64)},
    ),
}  # fmt: skip


def assert_all_binary(model: Any) -> None:
    """Strict conversion: pre-flight, gate and post-flight refuse what is not right."""
    conversion = convert(randomize_batch_norms(model))
    counts = count(model)
    graph = read_graph(conversion.data)
    totals = explain(graph, model.name).totals
    binary = [layer for layer in model.layers if getattr(layer, "kernel_quantizer", None)]
    assert sorted(conversion.binary_layers) == sorted(layer.name for layer in binary)
    assert sum(op.name == BCONV for op in graph.ops) == len(binary)
    assert totals.macs_1bit == counts.binary_macs
    assert totals.macs_float == counts.float_macs


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_converts_all_in_1_bit(option: str) -> None:
    network, dataset, image, structure, pad, settings = OPTIONS[option]
    tf.keras.utils.set_random_seed(SEED)
    model = models.build_model(
        network, dataset=dataset, image=image, structure=structure, pad_values=pad,
        num_classes=7, settings=settings,
    )  # fmt: skip
    assert_all_binary(model)


@pytest.mark.parametrize("precision", ["w1a32", pytest.param("float32", marks=pytest.mark.slow)])
def test_networks_with_float_activations_convert(precision: str) -> None:
    settings = OPTIONS["binary downsample, 3x3-3x3 stem"][-1]
    model = models.build_model(
        "resnet18", dataset="imagenet", image=(40, 24, 3), precision=precision, settings=settings
    )
    conversion = convert(randomize_batch_norms(model))
    totals = explain(read_graph(conversion.data), precision).totals
    assert conversion.binary_layers == ()
    assert (totals.macs_1bit, totals.macs_float) == (0, count(model).float_macs)


# (networks of CIFAR-100 differ from these in their classifier only)
WHOLE = [name for name in models.MODELS if "w1a1" in name and "cifar100" not in name]


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_every_network_converts_whole(name: str) -> None:
    assert_all_binary(models.load(name, pretrained=False))
