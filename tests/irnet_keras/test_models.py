"""Networks: shapes, exact parameter counts, the float twin, layers, the registry."""

import json
import subprocess
import sys

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from irnet_keras import Hardtanh, OptionAShortcut, models
from irnet_keras.errors import UsageError
from irnet_keras.models.resnet import ResNetConfig, build
from irnet_keras.quantizers import EDESign, LibraPB

# stem 3*3*3*16 + inner convolutions + classifier 64*10+10 + batch norms (stem, 18 inner, head)
INNER = 9 * (6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64)
NORMS = 4 * (16 + 6 * 16 + 6 * 32 + 6 * 64 + 64)
TOTAL = 3 * 3 * 3 * 16 + INNER + 650 + NORMS


@pytest.mark.parametrize("structure", ["bireal", "normal"])
@pytest.mark.parametrize("precision", ["w1a1", "w1a32", "float32"])
@pytest.mark.parametrize("pad_values", [0, 1])
def test_resnet20_shape_parameters_and_quantizers(structure, precision, pad_values):
    model = build(ResNetConfig(structure=structure, precision=precision, pad_values=pad_values))
    assert model.output_shape == (None, 10)
    quantizers = {"w1a1": 36, "w1a32": 18, "float32": 0}[precision]  # one t each
    assert model.count_params() == TOTAL + quantizers
    convs = [m for m in model.layers if isinstance(m, lq.layers.QuantConv2D)]
    assert len(convs) == ResNetConfig().num_inner_convs == 18
    for conv in convs:
        assert isinstance(conv.kernel_quantizer, LibraPB) == (precision != "float32")
        assert isinstance(conv.input_quantizer, EDESign) == (precision == "w1a1")
        assert conv.pad_values == pad_values
    adds = [m for m in model.layers if isinstance(m, tf.keras.layers.Add)]
    assert len(adds) == {"bireal": 18, "normal": 9}[structure]
    first, last = model.get_layer("stem_conv"), model.get_layer("logits")
    assert type(first) is tf.keras.layers.Conv2D
    assert type(last) is tf.keras.layers.Dense


def parameters(convs, norms, dense):
    """Of convolutions (kernel size, in, out), batch norms (channels) and dense (in, out)."""
    return (
        sum(k * k * i * o for k, i, o in convs) + 4 * sum(norms) + sum(i * o + o for i, o in dense)
    )


STAGES = [(64, 64), (64, 128), (128, 256), (256, 512)]


def resnet_parameters(blocks, stem, head_norms, classes):
    """ResNet-18 and -34 with float 1x1 shortcuts: two convolutions a block, a norm behind each."""
    convs, norms = [stem], [64]
    for count, (before, after) in zip(blocks, STAGES, strict=True):
        convs += [(3, before, after), *[(3, after, after)] * (2 * count - 1)]
        norms += [after] * (2 * count)
        if before != after:
            convs.append((1, before, after))
            norms.append(after)
    return parameters(convs, norms + head_norms, [(512, classes)])


VGG_SMALL = parameters(
    [(3, 3, 128), (3, 128, 128), (3, 128, 256), (3, 256, 256), (3, 256, 512), (3, 512, 512)],
    [128, 128, 256, 256, 512, 512],
    [(4 * 4 * 512, 10)],
)
PARAMETERS = {
    ("resnet20", "cifar10"): (TOTAL, 18),
    ("vgg-small", "cifar10"): (VGG_SMALL, 5),
    ("resnet18", "cifar10"): (resnet_parameters((2, 2, 2, 2), (3, 3, 64), [512], 10), 16),
    ("resnet18", "imagenet"): (resnet_parameters((2, 2, 2, 2), (7, 3, 64), [512, 1000], 1000), 16),
    ("resnet34", "imagenet"): (resnet_parameters((3, 4, 6, 3), (7, 3, 64), [512, 1000], 1000), 32),
}


@pytest.mark.parametrize(("network", "dataset"), models.NETWORKS)
def test_every_network_has_its_parameters_and_quantizers(network, dataset):
    parameters, inner = PARAMETERS[network, dataset]
    data = models.DATASETS[dataset]
    for precision, quantizers in [("w1a1", 2), ("w1a32", 1), ("float32", 0)]:
        model = models.build_model(network, dataset=dataset, precision=precision)
        assert model.input_shape == (None, *data.image)
        assert model.output_shape == (None, data.num_classes)
        assert model.count_params() == parameters + quantizers * inner  # one t each
        convs = [m for m in model.layers if isinstance(m, lq.layers.QuantConv2D)]
        assert len(convs) == inner
        assert not [m for m in model.layers if isinstance(m, tf.keras.layers.Lambda)]


def test_vgg_small_pools_between_convolution_and_batch_norm():
    model = models.build_model("vgg-small")
    names = [layer.name for layer in model.layers]
    for stage in (1, 2, 3):
        first = names.index(f"stage{stage}b_conv")
        assert names[first + 1 : first + 4] == [
            f"stage{stage}b_{part}" for part in ("pool", "bn", "hardtanh")
        ]
    assert model.get_layer("flatten").output_shape == (None, 4 * 4 * 512)


def test_network_and_structure_are_checked():
    with pytest.raises(UsageError, match=r"unknown network 'resnet20' for 'imagenet'; accepted: "):
        models.build_model("resnet20", dataset="imagenet")
    with pytest.raises(UsageError, match="structure of vgg-small must be one of plain, got"):
        models.build_model("vgg-small", structure="bireal")
    with pytest.raises(ValueError, match="image must be at least 8 pixels high and wide"):
        models.build_model("vgg-small", image=(4, 32, 3))


def test_no_lambda_layers_and_unique_variable_names():
    model = build(ResNetConfig())
    assert not [m for m in model.submodules if isinstance(m, tf.keras.layers.Lambda)]
    names = [w.name for w in model.weights]
    assert len(names) == len(set(names))


def test_variable_names_do_not_depend_on_what_was_built_before():
    names = [w.name for w in build(ResNetConfig()).weights]
    assert [w.name for w in build(ResNetConfig()).weights] == names


def test_binary_macs_match_larq_summary():
    model = build(ResNetConfig())
    profile = lq.models.ModelProfile(model)
    binary = sum(
        int(np.prod(layer.output_shape[1:])) * 9 * layer.input_shape[-1]
        for layer in model.layers
        if isinstance(layer, lq.layers.QuantConv2D)
    )
    assert binary == 9 * (
        6 * 32 * 32 * 16 * 16
        + 16 * 16 * 32 * 16
        + 5 * 16 * 16 * 32 * 32
        + 8 * 8 * 64 * 32
        + 5 * 8 * 8 * 64 * 64
    )
    assert profile.unique_op_precisions is not None


def test_weight_decay_is_on_float_kernels_only():
    binary = build(ResNetConfig(), weight_decay=1e-4)
    assert len(binary.losses) == 2  # stem and classifier
    twin = build(ResNetConfig(precision="float32"), weight_decay=1e-4)
    assert len(twin.losses) == 20
    kernel = binary.get_layer("logits").kernel.numpy().astype(np.float64)
    total = float(tf.add_n(binary.losses))
    stem = binary.get_layer("stem_conv").kernel.numpy().astype(np.float64)
    assert total == pytest.approx(0.5e-4 * ((kernel**2).sum() + (stem**2).sum()), rel=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [("structure", "plain"), ("precision", "w2a2"), ("pad_values", 2), ("stem", "5x5")],
)
def test_bad_config_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} must be"):
        ResNetConfig(**{field: value})


def test_hardtanh_values_and_gradient():
    x = tf.constant([-np.inf, -1.5, -1.0, -0.3, 0.0, 0.7, 1.0, 1.2, np.inf])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = Hardtanh()(x)
    np.testing.assert_array_equal(y, np.clip(x.numpy(), -1, 1))
    np.testing.assert_array_equal(tape.gradient(y, x)[1:-1], [0, 1, 1, 1, 1, 1, 0])


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("filters", "strides"), [(4, 1), (8, 2), (7, 3)])
def test_option_a_shortcut(rng, size, filters, strides):
    x = rng.normal(size=(2, size, size, 4)).astype(np.float32)
    layer = OptionAShortcut(filters, strides)
    y = layer(x).numpy()
    expected = np.zeros((2, *[-(-size // strides)] * 2, filters), np.float32)
    before = (filters - 4) // 2
    expected[..., before : before + 4] = x[:, ::strides, ::strides]
    np.testing.assert_array_equal(y, expected)
    assert layer.compute_output_shape(x.shape) == y.shape
    assert OptionAShortcut.from_config(layer.get_config()).filters == filters


def test_shortcut_that_narrows_is_refused():
    with pytest.raises(ValueError, match="filters must be at least the input's channels: 2 < 4"):
        OptionAShortcut(2)(np.zeros((1, 4, 4, 4), np.float32))


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_registry_entry(name):
    entry = models.MODELS[name]
    assert name == f"{entry.network}-{entry.precision}-{entry.dataset}"
    if entry.weights is None:
        with pytest.raises(UsageError, match="no shipped weights"):
            models.load(name)
    else:
        assert models.weights_path(name).stat().st_size < 20e6
        model = models.load(name)
        random = models.load(name, pretrained=False)
        assert (model.get_layer("logits").kernel.numpy() != 0).any()
        assert [w.shape for w in model.weights] == [w.shape for w in random.weights]


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown model 'resnet1'; accepted: .*resnet20-w1a1"):
        models.load("resnet1")


def test_importing_recipes_and_registry_loads_no_tensorflow():
    code = (
        "import sys, json, irnet_keras.recipes, irnet_keras.models, irnet_cli.app\n"
        "for r in irnet_keras.recipes.RECIPES: irnet_keras.recipes.get_recipe(r)\n"
        "print(json.dumps([m for m in ('tensorflow', 'larq', 'keras') if m in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == []
