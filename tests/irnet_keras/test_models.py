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
    with pytest.raises(
        UsageError, match=r"unknown network 'resnet20' for 'imagenet'; .*accepted: "
    ):
        models.build_model("resnet20", dataset="imagenet")
    with pytest.raises(UsageError, match="structure of vgg-small must be one of plain, got"):
        models.build_model("vgg-small", structure="bireal")
    with pytest.raises(ValueError, match="image must be at least 8 pixels high and wide"):
        models.build_model("vgg-small", image=(4, 32, 3))
    with pytest.raises(ValueError, match="at most 536870912 weights of the classifier, got 33"):
        models.build_model("vgg-small", image=(2048, 2048, 3), num_classes=1000)


def test_no_lambda_layers_and_unique_variable_names():
    model = build(ResNetConfig())
    assert not [m for m in model.submodules if isinstance(m, tf.keras.layers.Lambda)]
    names = [w.name for w in model.weights]
    assert len(names) == len(set(names))


def test_variable_names_do_not_depend_on_what_was_built_before():
    names = [w.name for w in build(ResNetConfig()).weights]
    assert [w.name for w in build(ResNetConfig()).weights] == names


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
    [
        ("structure", "plain"),
        ("precision", "w2a2"),
        ("pad_values", 2),
        ("stem", "5x5"),
        ("activation", "relu"),
    ],
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


def test_rounding_does_not_decide_what_untrained_binary_weights_answer(rng):
    model = build(ResNetConfig(precision="w1a32", image=(16, 16, 3)))
    x = rng.normal(size=(8, 16, 16, 3)).astype(np.float32)
    a, b = (model(v, training=False).numpy() for v in (x, x * np.float32(1 + 2**-22)))
    assert np.abs(a - b).max() < 1e-4 * np.abs(a).max()


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_registry_entry(name):
    entry = models.MODELS[name]
    if entry.dataset == "photos":
        assert name == f"{entry.network}-{entry.precision}"
    else:
        assert name == f"{entry.network}-{entry.precision}-{entry.dataset}"
    if entry.weights is None:
        with pytest.raises(UsageError, match="no shipped weights"):
            models.load(name)
    else:
        assert models.weights_path(name).stat().st_size < 20e6
        model = models.load(name)
        random = models.load(name, pretrained=False)
        assert all((w.numpy() != 0).any() for w in model.weights if "kernel:" in w.name)
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
