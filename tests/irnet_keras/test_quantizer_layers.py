"""Contracts every quantizer of the package keeps: aliases, config, layers, dtypes, saving."""

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

import irnet_keras.quantizers
from irnet_keras import EDESign, LibraPB

# class, its alias, arguments that differ from the defaults
QUANTIZERS = [
    (EDESign, "ede_sign", {"t": 0.5}),
    (LibraPB, "libra_pb", {"t": 0.5, "per": "layer", "use_scale": False}),
]
layers = tf.keras.layers


def test_every_exported_quantizer_is_in_this_table():
    rows = {c.__name__ for c, _, _ in QUANTIZERS} | {a for _, a, _ in QUANTIZERS}
    assert set(irnet_keras.quantizers.__all__) == rows


@pytest.mark.parametrize(("cls", "alias", "arguments"), QUANTIZERS)
def test_alias_gives_the_class(cls, alias, arguments):
    assert type(lq.quantizers.get(alias)) is cls
    assert type(lq.quantizers.get(cls.__name__)) is cls


@pytest.mark.parametrize(("cls", "alias", "arguments"), QUANTIZERS)
def test_config_round_trip(cls, alias, arguments):
    quantizer = cls(**arguments)
    copy = lq.quantizers.get(lq.quantizers.serialize(quantizer))
    assert type(copy) is cls
    assert copy.get_config() == quantizer.get_config()
    assert {k: copy.get_config()[k] for k in arguments} == arguments
    assert float(copy.t) == 0.5


@pytest.mark.parametrize(("cls", "alias", "arguments"), QUANTIZERS)
def test_precision_is_one_bit(cls, alias, arguments):
    assert cls.precision == 1
    layer = lq.layers.QuantDense(2, kernel_quantizer=cls(**arguments))
    layer.build((None, 4))
    assert layer.kernel.precision == 1


def small_model(dtype: str | None = None) -> tf.keras.Model:
    options = {} if dtype is None else {"dtype": dtype}
    return tf.keras.Sequential(
        [
            layers.Input((8, 8, 4), **options),
            lq.layers.QuantConv2D(
                6, 3, input_quantizer="ede_sign", kernel_quantizer="libra_pb", **options
            ),
            layers.BatchNormalization(**options),
            layers.Activation("ede_sign", **options),
            layers.Flatten(**options),
            lq.layers.QuantDense(
                3, input_quantizer="ede_sign", kernel_quantizer="libra_pb", **options
            ),
        ]
    )


def fit(model: tf.keras.Model, rng: np.random.Generator) -> list[float]:
    model.compile(
        tf.keras.optimizers.Adam(0.01),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    x, y = rng.normal(size=(64, 8, 8, 4)), rng.integers(0, 3, 64)
    return model.fit(x, y, batch_size=16, epochs=8, verbose=0).history["loss"]


@pytest.mark.parametrize("dtype", [None, "float64"])
def test_usable_by_alias_in_conv_dense_and_activation(rng, dtype):
    tf.keras.utils.set_random_seed(1)
    model = small_model(dtype)
    kernel = model.layers[0]
    before = kernel.kernel.latent_variable.numpy().copy()
    losses = fit(model, rng)
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert (kernel.kernel.latent_variable.numpy() != before).any()
    assert model.output.dtype == (dtype or "float32")


def test_mixed_precision_trains_with_binary_values(rng):
    tf.keras.utils.set_random_seed(1)
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = small_model()
        losses = fit(model, rng)
        assert np.isfinite(losses).all()
        assert model.layers[0].kernel_quantizer.t.dtype == tf.float32
        assert model.output.dtype == tf.float16
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_t_is_saved_and_restored_by_keras(rng, tmp_path):
    for name in ("w.h5", "checkpoint"):
        model = small_model()
        quantizer = model.layers[0].kernel_quantizer
        quantizer.t.assign(7.0)
        model.save_weights(tmp_path / name)
        other = small_model()
        other.load_weights(tmp_path / name)
        assert float(other.layers[0].kernel_quantizer.t) == 7.0
        assert float(other.layers[0].input_quantizer.t) == pytest.approx(0.1)


def test_activation_by_name_holds_its_own_t():
    first, second = layers.Activation("ede_sign"), layers.Activation("ede_sign")
    for layer in (first, second):
        layer(tf.zeros((1, 2)))
    assert type(first.activation) is EDESign
    assert first.activation is not second.activation
    assert [w.name.split("/")[-1] for w in first.weights] == [f"{first.activation.name}_t:0"]


def test_class_called_with_a_tensor_elsewhere_is_refused():
    with pytest.raises(TypeError, match=r"call an instance: EDESign\(\)\(x\)"):
        EDESign(tf.zeros(3))


def test_saved_model_round_trip(rng, tmp_path):
    model = small_model()
    x = rng.normal(size=(5, 8, 8, 4)).astype(np.float32)
    model.save(tmp_path / "saved")
    copy = tf.keras.models.load_model(tmp_path / "saved")
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))
