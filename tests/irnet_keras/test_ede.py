"""EDE: sign forward, annealed tanh derivative backward, against float64 NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from irnet_keras import EDESign, ede_sign

TS = [1e-3, 1e-1, 0.7, 1.0, 3.0, 10.0]


def closed_form(x: np.ndarray, t: float) -> np.ndarray:
    """k*t*(1-tanh^2(t*x)) as 1/cosh^2, a second way to write it."""
    k = max(1 / t, 1)
    with np.errstate(over="ignore"):
        return k * t / np.cosh(t * x) ** 2


def gradient(x: np.ndarray, t: float, upstream: np.ndarray) -> np.ndarray:
    x_tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x_tensor)
        y = ede_sign(x_tensor, t)
    return tape.gradient(y, x_tensor, output_gradients=tf.constant(upstream)).numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_forward_is_sign_with_zero_positive(dtype):
    x = np.array([-np.inf, -2, -1e-7, -0.0, 0.0, 1e-7, 3, np.inf], dtype)
    y = ede_sign(tf.constant(x), 0.5).numpy()
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array([-1, -1, -1, 1, 1, 1, 1, 1], dtype))


def test_nan_stays_nan_forward_and_backward():
    assert np.isnan(ede_sign(tf.constant([np.nan]), 1.0).numpy()[0])
    assert np.isnan(gradient(np.array([np.nan]), 1.0, np.ones(1))[0])


@pytest.mark.parametrize("t", TS)
def test_gradient_matches_closed_form(rng, t):
    x = np.concatenate([rng.normal(0, 3, 500), [0.0, -0.0]])
    upstream = rng.normal(size=x.shape)
    expected = closed_form(x, t) * upstream
    # 1 - tanh loses bits near 1: absolute error of a few float64 roundings of 1
    np.testing.assert_allclose(
        gradient(x, t, upstream), expected, rtol=1e-10, atol=max(1, t) * 1e-15 * 8
    )


@pytest.mark.parametrize("t", TS)
def test_gradient_at_infinity_is_zero(t):
    np.testing.assert_array_equal(gradient(np.array([np.inf, -np.inf]), t, np.ones(2)), [0, 0])


def test_gradient_at_zero_is_k_times_t():
    for t, expected in [(0.01, 1.0), (0.1, 1.0), (1.0, 1.0), (5.0, 5.0), (10.0, 10.0)]:
        assert gradient(np.zeros(1), t, np.ones(1))[0] == pytest.approx(expected, rel=1e-15)


def test_t_gets_no_gradient():
    layer = EDESign(t=2.0)
    assert [w.name for w in layer.non_trainable_weights] == [f"{layer.name}_t:0"]
    assert layer.trainable_weights == []


def test_layer_uses_its_current_t_under_tf_function(rng):
    layer = EDESign(t=0.1, dtype="float64")
    x = tf.constant(rng.normal(size=(4, 5)))

    @tf.function
    def grad(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return tape.gradient(y, x)

    for t in (0.1, 2.0):
        layer.t.assign(t)
        np.testing.assert_allclose(grad(x).numpy(), closed_form(x.numpy(), t), rtol=1e-10)


@pytest.mark.parametrize("t", [0.0, -1.0, float("nan"), float("inf"), "1"])
def test_bad_t_is_refused(t):
    with pytest.raises(ValueError, match="t must be a positive finite number"):
        EDESign(t=t)
