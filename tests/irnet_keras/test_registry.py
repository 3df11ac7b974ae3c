"""Every network of the registry: shape, parameters, multiplications, weights, a training step."""

import json
import subprocess
import sys
from pathlib import Path

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from irnet_keras import models
from irnet_keras.errors import UsageError
from irnet_keras.models.counting import count
from irnet_keras.models.networks import DATASETS, NETWORKS
from irnet_keras.models.resolve import resolve_model
from irnet_keras.models.weights import load_weights, save_arrays, save_weights
from irnet_keras.recipes import get_recipe

# (test_super_resolution.py has the networks that enlarge images)
CLASSIFIERS = [key for key in NETWORKS if not DATASETS[key[1]].super_resolution]
SMALL = {"cifar10": (16, 16, 3), "cifar100": (16, 16, 3), "imagenet": (64, 48, 3)}


class Formula:
    """Parameters and multiplications of a network, added up from its description."""

    def __init__(self):
        self.params = self.binary_params = self.float_macs = self.binary_macs = 0

    def conv(self, kernel, before, after, height, width, *, binary=True, norm=True):
        weights = kernel * kernel * before * after
        self.params += weights + (4 * after if norm else 0)
        if binary:
            self.binary_params += weights
            self.binary_macs += weights * height * width
        else:
            self.float_macs += weights * height * width

    def dense(self, before, after, norms):
        self.params += before * after + after + 4 * sum(norms)
        self.float_macs += before * after


def resnet(blocks, widths, stem, shortcut, head_norms, classes, image):
    """Stem (kernel, stride, pool's stride), two convolutions a block, classifier."""
    f = Formula()
    height, width, channels = image
    for kernel, stride, filters in stem:
        height, width = -(-height // stride), -(-width // stride)
        if kernel:
            f.conv(kernel, channels, filters, height, width, binary=False)
            channels = filters
    for stage, (count_, filters) in enumerate(zip(blocks, widths, strict=True)):
        if stage:
            height, width = -(-height // 2), -(-width // 2)
            if shortcut:
                f.conv(1, channels, filters, height, width, binary=shortcut == "binary")
        for block in range(count_):
            f.conv(3, filters if block else channels, filters, height, width)
            f.conv(3, filters, filters, height, width)
        channels = filters
    f.dense(channels, classes, head_norms)
    return f


def vgg_small(classes, image):
    f = Formula()
    height, width, channels = image
    for filters in (128, 256, 512):
        f.conv(3, channels, filters, height, width, binary=channels != 3)
        f.conv(3, filters, filters, height, width)
        height, width, channels = height // 2, width // 2, filters
    f.dense(height * width * channels, classes, [])
    return f


CIFAR_BLOCKS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9}
WIDE = (64, 128, 256, 512)
STEM_7X7 = [(7, 2, 64), (0, 2, 0)]
STEM_3X3_3X3 = [(3, 2, 16), (3, 2, 64)]


def formula(network, dataset, *, image=None, stem=STEM_7X7, shortcut="float"):
    data = DATASETS[dataset]
    image, classes = image or data.image, data.num_classes
    if network == "vgg-small":
        return vgg_small(classes, image)
    if network in CIFAR_BLOCKS:
        blocks, widths = [CIFAR_BLOCKS[network]] * 3, (16, 32, 64)
        return resnet(blocks, widths, [(3, 1, 16)], None, [64], classes, image)
    blocks = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}[network]
    if dataset == "imagenet":
        return resnet(blocks, WIDE, stem, shortcut, [512, classes], classes, image)
    return resnet(blocks, WIDE, [(3, 1, 64)], shortcut, [512], classes, image)


def assert_counts(model, expected, precision):
    counts = count(model)
    assert counts.params == expected.params
    assert counts.binary_params == (0 if precision == "float32" else expected.binary_params)
    binary = expected.binary_macs if precision == "w1a1" else 0
    assert counts.binary_macs == binary
    assert counts.float_macs == expected.float_macs + expected.binary_macs - binary


DEEP = ("resnet32", "resnet44", "resnet56")  # those differ from ResNet-20 in depth only


@pytest.mark.parametrize(
    ("network", "dataset"),
    [
        pytest.param(
            *key, marks=[pytest.mark.slow] if key in [(n, "cifar100") for n in DEEP] else []
        )
        for key in CLASSIFIERS
    ],
)
def test_every_network_counts_what_its_description_says(network, dataset):
    expected = formula(network, dataset)
    # (the data set only changes the classifier)
    repeated = dataset == "cifar100" or network in DEEP
    precisions = ("w1a1",) if repeated else models.PRECISIONS
    for precision in precisions:
        model = models.build_model(network, dataset=dataset, precision=precision)
        assert model.input_shape == (None, *DATASETS[dataset].image)
        assert model.output_shape == (None, DATASETS[dataset].num_classes)
        assert_counts(model, expected, precision)
        if precision == "w1a1":
            inner = assert_larq_agrees(model)
            assert model.count_params() == expected.params + 2 * inner  # one t each


def assert_larq_agrees(model):
    """Larq counts the same, and one for each ``t`` at each place; returns binary convolutions."""
    lq.models.summary(model)
    profile, counts = lq.models.ModelProfile(model), count(model)
    macs = {
        precision: sum(
            op.n
            for layer in profile.layer_profiles
            for op in layer.op_profiles
            if op.op_type == "mac" and op.precision == precision
        )
        for precision in (1, 32)
    }
    convs = [layer for layer in model.layers if isinstance(layer, lq.layers.QuantConv2D)]
    assert macs[1] == counts.binary_macs
    positions = sum(int(np.prod(layer.output_shape[1:3])) for layer in convs)
    assert macs[32] == counts.float_macs + 2 * positions
    return len(convs)


# He et al., table 6, and the usual ImageNet ResNets without our head's batch norms; Bi-Real Net
# and ReActNet for the binary ones
@pytest.mark.parametrize(
    ("network", "dataset", "trainable"),
    [
        ("resnet20", "cifar10", 269_722),
        ("resnet56", "cifar10", 853_018),
        ("resnet18", "imagenet", 11_689_512),
        ("resnet34", "imagenet", 21_797_672),
    ],
)
def test_trainable_parameters_are_the_published_ones(network, dataset, trainable):
    model = models.build_model(network, dataset=dataset, precision="float32")
    own = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    added = [layer for layer in model.layers if layer.name in ("head_bn", "logits_bn")]
    assert own - sum(2 * layer.gamma.shape[0] for layer in added) == trainable


@pytest.mark.parametrize(
    ("network", "binary", "single", "ops"),
    [("resnet18", 1.68e9, 1.39e8, 1.63e8), ("resnet34", 3.53e9, 1.39e8, 1.93e8)],
)
def test_multiplications_are_the_published_ones(network, binary, single, ops):
    expected = formula(network, "imagenet")
    assert expected.binary_macs == pytest.approx(binary, rel=0.005)
    assert expected.float_macs == pytest.approx(single, rel=0.01)
    assert expected.float_macs + expected.binary_macs / 64 == pytest.approx(ops, rel=0.01)


def test_float_twin_of_resnet18_has_its_published_multiplications():
    expected = formula("resnet18", "imagenet")
    assert expected.float_macs + expected.binary_macs == 1_814_073_344  # 1.81 G


@pytest.mark.parametrize(
    ("settings", "stem", "shortcut"),
    [
        ({"stem": "3x3-3x3"}, STEM_3X3_3X3, "float"),
        ({"shortcut": "binary-conv1x1"}, STEM_7X7, "binary"),
    ],
)
@pytest.mark.parametrize("precision", models.PRECISIONS)
def test_options_of_imagenet_networks_count_too(settings, stem, shortcut, precision):
    image = SMALL["imagenet"]
    model = models.build_model(
        "resnet18", dataset="imagenet", precision=precision, image=image, settings=settings
    )
    expected = formula("resnet18", "imagenet", image=image, stem=stem, shortcut=shortcut)
    assert_counts(model, expected, precision)
    assert model.get_layer("stage1_block1a_conv").input_shape == (None, 16, 12, 64)


def test_cheaper_stem_is_cheaper():
    def stem(layers):
        return resnet((), (), layers, None, [], 0, (224, 224, 3)).float_macs

    assert stem(STEM_7X7) == 118_013_952
    assert stem(STEM_3X3_3X3) == 34_320_384


def test_count_refuses_what_it_cannot_count():
    x = tf.keras.Input((8, 8, 4))
    separable = tf.keras.Model(x, tf.keras.layers.SeparableConv2D(4, 3)(x))
    with pytest.raises(ValueError, match="the multiplications of a SeparableConv2D are unknown"):
        count(separable)
    x = tf.keras.Input((None, 8, 4))
    with pytest.raises(ValueError, match="must have a known height and width"):
        count(tf.keras.Model(x, tf.keras.layers.Conv2D(4, 3)(x)))


def test_count_knows_nested_transposed_and_depthwise_layers():
    x = tf.keras.Input((8, 6, 4))
    inner = tf.keras.Sequential([tf.keras.layers.Conv2DTranspose(2, 4, 2, padding="same")])
    y = tf.keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(inner(x))
    counts = count(tf.keras.Model(x, y))
    assert counts.params == 4 * 4 * 2 * 4 + 2 + 3 * 3 * 2
    assert counts.float_macs == 8 * 6 * 4 * 4 * 2 * 4 + 16 * 12 * 3 * 3 * 2
    assert counts.binary_macs == counts.binary_params == 0


# (the data set changes nothing but the classifier of CIFAR's networks)
@pytest.mark.parametrize(("network", "dataset"), [n for n in CLASSIFIERS if n[1] != "cifar100"])
def test_every_network_learns_and_its_weights_can_be_kept(network, dataset, tmp_path, rng, seed):
    """Any class count and input size; one step changes every kernel; weights survive a file.

    ResNets with one block a stage: the smoke training of recipes takes them whole.
    """
    tf.keras.utils.set_random_seed(seed)
    image = SMALL[dataset]
    made = {"dataset": dataset, "image": image, "num_classes": 7, "pad_values": 1}
    if blocks := NETWORKS[network, dataset].settings.get("blocks"):
        made["settings"] = {"blocks": (1,) * len(blocks)}
    model = models.build_model(network, **made)
    assert model.output_shape == (None, 7)
    x = rng.normal(size=(2, *image)).astype(np.float32)
    before = [w.numpy() for w in model.trainable_weights]
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = tf.keras.losses.sparse_categorical_crossentropy([1, 5], logits, from_logits=True)
    gradients = tape.gradient(loss, model.trainable_weights)
    tf.keras.optimizers.SGD(0.1).apply_gradients(
        zip(gradients, model.trainable_weights, strict=True)
    )
    for w, old in zip(model.trainable_weights, before, strict=True):
        assert np.isfinite(w.numpy()).all()
        if "kernel" in w.name:
            assert (w.numpy() != old).any(), w.name
    save_weights(model, tmp_path / "w.safetensors", {})
    again = models.build_model(network, **made)
    load_weights(again, tmp_path / "w.safetensors")
    for a, b in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("network", "dataset", "message"),
    [
        ("resnet21", "cifar10", r"unknown network 'resnet21' for 'cifar10'; did you mean resnet"),
        ("vgg-smal", "cifar100", r"did you mean vgg-small\? accepted: resnet20, "),
        ("resnet20", "imagenet", r"for 'imagenet'; .*accepted: resnet18, resnet34$"),
        ("resnet20", "cifar", r"unknown data set 'cifar'; did you mean cifar10 or cifar100\?"),
    ],
)
def test_unknown_names_list_near_ones(network, dataset, message):
    with pytest.raises(UsageError, match=message):
        models.build_model(network, dataset=dataset)


def test_unknown_model_lists_near_ones():
    with pytest.raises(UsageError, match=r"did you mean resnet18-w1a1-imagenet or resnet"):
        models.load("resnet18-w1a1-imagnet")


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("resnet32", {}, r"does not fit the model: it lacks stage1_block4a_bn/beta:0$"),
        (
            "resnet20",
            {"precision": "w1a32"},
            r"it has stage1_.*_input_quantizer_t:0, which the model",
        ),
        (
            "resnet20",
            {"num_classes": 7},
            r"logits/kernel:0 has shape \(64, 10\), expected \(64, 7\)",
        ),
    ],
)
def test_weights_of_another_network_are_refused_by_name_and_shape(
    network, options, message, tmp_path
):
    path = tmp_path / "w.safetensors"
    save_weights(models.build_model("resnet20"), path, {})
    model = models.build_model(network, **options)
    before = model.get_weights()
    with pytest.raises(UsageError, match=message):
        load_weights(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_weights_of_another_structure_are_refused_where_the_file_says_which(tmp_path):
    tiny = {"settings": {"blocks": (1,), "widths": (8,)}}
    bireal, normal = (
        models.build_model("resnet20", structure=structure, **tiny)
        for structure in ("bireal", "normal")
    )
    path, before = tmp_path / "w.safetensors", normal.get_weights()
    save_weights(bireal, path, {"config": json.dumps({"structure": "bireal"})})
    load_weights(bireal, path)
    message = r"w.safetensors does not fit the model: .* of structure bireal, the model is normal$"
    with pytest.raises(UsageError, match=message):
        load_weights(normal, path)
    for old, new in zip(before, normal.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    save_weights(bireal, path, {})  # the same names and shapes, and nothing says which
    load_weights(normal, path)


def test_weights_file_of_absurd_sizes_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    config = {"name": "x", "network": "resnet20", "precision": "w1a1", "structure": "bireal"}
    for sizes in ({"num_classes": 10**9}, {"image_size": 10**6}, {"num_classes": "many"}):
        save_arrays(path, {}, {"config": json.dumps({**config, "pad_values": 0, **sizes})})
        with pytest.raises(UsageError, match="does not say which network its weights belong to"):
            resolve_model(str(path))


def test_weights_file_brings_its_options(tmp_path):
    """A run's file says enough to build its network again."""
    config = get_recipe("resnet18-w1a1-imagenet-paper").with_overrides(
        {"image_size": 32, "num_classes": 1001, "stem": "3x3-3x3", "downsample": "binary"}
    )
    model = models.build_model(**models.network_options(config.model_dump()))
    path = tmp_path / "w.safetensors"
    save_weights(model, path, {"config": config.model_dump_json()})
    again = resolve_model(str(path))
    assert again.dataset == "imagenet"
    assert again.model.input_shape == (None, 32, 32, 3)
    assert count(again.model) == count(model)
    for a, b in zip(model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_shipped_weights_that_differ_are_refused(tmp_path, monkeypatch):
    name = "resnet20-w1a1-cifar10"
    file = models.MODELS[name].weights
    content = bytearray((models.WEIGHTS_FOLDER / file).read_bytes())
    content[-1] ^= 1
    (tmp_path / file).write_bytes(content)
    monkeypatch.setattr(models, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(UsageError, match=r"is missing or does not match its SHA-256; reinstall"):
        models.load(name)


@pytest.mark.slow
def test_table_of_the_documents_is_what_the_tool_prints():
    root = Path(__file__).parents[2]
    page = (root / "docs" / "explanation" / "networks.md").read_text()
    tool = [sys.executable, str(root / "tools" / "count_networks.py")]
    out = subprocess.run(tool, capture_output=True, text=True, check=True)
    assert out.stdout.count("\n") == 11
    assert out.stdout in page


def test_list_of_models_has_the_score_of_shipped_weights():
    from typer.testing import CliRunner

    from irnet_cli.app import app

    out = CliRunner().invoke(app, ["models"]).stdout
    for weights in models.WEIGHTS.values():
        if weights.test_accuracy is not None:
            assert f"{100 * weights.test_accuracy:.2f} %" in out
        else:
            assert f"{weights.test_psnr:.2f} dB" in out
