"""Layers that compute differently in training: same values, or rounding as documented."""

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from irnet_keras import EDESign, Hardtanh, LibraPB, OptionAShortcut, build_model
from irnet_keras.layers import NarrowQuantConv2D


def value_and_gradient(function, x, upstream):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y.numpy(), tape.gradient(y, x, tf.constant(upstream)).numpy()


def test_hardtanh_in_training_has_the_bits_of_clipping(rng):
    edges = np.array([-np.inf, -2, -1, -0.0, 0, 1, 1 + 2**-23, 1 - 2**-24, np.inf], np.float32)
    x = np.concatenate([edges, rng.normal(0, 1.5, 1000).astype(np.float32)])
    upstream = rng.normal(size=x.shape).astype(np.float32)
    ours = value_and_gradient(lambda v: Hardtanh()(v, training=True), x, upstream)
    clip = value_and_gradient(lambda v: tf.clip_by_value(v, -1.0, 1.0), x, upstream)
    np.testing.assert_array_equal(ours[0], clip[0])
    np.testing.assert_array_equal(ours[1], clip[1])


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 6)])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_option_a_in_training_has_the_bits_of_slicing(rng, size, strides):
    x = rng.normal(size=(2, *size, 3)).astype(np.float32)
    layer = OptionAShortcut(7, strides)
    upstream = rng.normal(size=layer(x).shape).astype(np.float32)
    training, inference = (
        value_and_gradient(lambda v, mode=mode: layer(v, training=mode), x, upstream)
        for mode in (True, False)
    )
    np.testing.assert_array_equal(training[0], inference[0])
    np.testing.assert_array_equal(training[1], inference[1])


def narrow_and_wide(**options):
    layers = []
    for cls in (NarrowQuantConv2D, lq.layers.QuantConv2D):
        layer = cls(8, 3, padding="same", use_bias=False, **options)
        layer.build((None, 9, 9, 32))
        layers.append(layer)
    layers[1].set_weights(layers[0].get_weights())
    return layers


@pytest.mark.parametrize("pad_values", [0.0, 1.0])
def test_binary_products_in_bfloat16_are_exact(rng, pad_values):
    narrow, wide = narrow_and_wide(
        input_quantizer=EDESign(), kernel_quantizer=LibraPB(), pad_values=pad_values
    )
    x = rng.normal(size=(4, 9, 9, 32)).astype(np.float32)
    np.testing.assert_array_equal(narrow(x, training=True), wide(x))
    np.testing.assert_array_equal(narrow(x), wide(x))


def test_gradients_through_bfloat16_products_are_rounded_to_8_bits(rng):
    narrow, wide = narrow_and_wide(input_quantizer=EDESign(), kernel_quantizer=LibraPB())
    x = tf.constant(rng.normal(size=(4, 9, 9, 32)).astype(np.float32))
    upstream = tf.constant(rng.normal(size=(4, 9, 9, 8)).astype(np.float32))
    gradients = []
    for layer, options in ((narrow, {"training": True}), (wide, {})):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, **options)
        gradients.append(tape.gradient(y, [x, *layer.trainable_variables], upstream))
    for ours, exact in zip(*gradients, strict=True):
        # operand and result are rounded by at most 2**-9 each; sums of 72 and more terms
        # average the former
        error = tf.norm(ours - exact) / tf.norm(exact)
        assert ours.dtype == tf.float32
        assert 0 < float(error) < 2**-8


def test_float_operands_are_narrowed_only_in_training(rng):
    narrow, wide = narrow_and_wide(kernel_quantizer=LibraPB())
    x = rng.normal(size=(2, 9, 9, 32)).astype(np.float32)
    np.testing.assert_array_equal(narrow(x, training=False), wide(x))
    assert np.abs(narrow(x, training=True) - wide(x)).max() > 0


def test_the_option_changes_neither_names_nor_inference(rng):
    x = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    models = [
        build_model("resnet20", image=(8, 8, 3), compute=compute)
        for compute in ("bfloat16", "float32")
    ]
    assert [v.name for v in models[0].weights] == [v.name for v in models[1].weights]
    models[1].set_weights(models[0].get_weights())
    np.testing.assert_array_equal(models[0](x, training=False), models[1](x, training=False))


def test_an_unknown_compute_type_is_refused():
    with pytest.raises(ValueError, match=r"compute must be one of .*bfloat16.*, got 'int8'"):
        build_model("resnet20", compute="int8")
