"""Libra-PB: forward and gradient against float64 NumPy; constant filters; invariances."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from irnet_keras import LibraPB, libra_pb
from irnet_keras.quantizers.libra_pb import constant_filters

SHAPES = [(3, 3, 4, 5), (1, 1, 7, 3), (6, 4), (5, 3, 2, 1)]


def axes_of(w: np.ndarray, per: str) -> tuple[int, ...]:
    return tuple(range(w.ndim if per == "layer" else w.ndim - 1))


def forward(w: np.ndarray, per: str = "filter", use_scale: bool = True) -> np.ndarray:
    """The paper's equations (6) to (8), sign(0) = +1."""
    axes = axes_of(w, per)
    u = (w - w.mean(axes, keepdims=True)) / w.std(axes, ddof=1, keepdims=True)
    scale = 2.0 ** np.round(np.log2(np.abs(u).mean(axes, keepdims=True)))
    return np.where(u >= 0, 1.0, -1.0) * (scale if use_scale else 1.0)


def backward(w: np.ndarray, t: float, upstream: np.ndarray, per: str) -> np.ndarray:
    """Chain rule by hand: EDE, then the Jacobian of the standardization."""
    axes = axes_of(w, per)
    mean, std = w.mean(axes, keepdims=True), w.std(axes, ddof=1, keepdims=True)
    u = (w - mean) / std
    n = w.size // u.mean(axes, keepdims=True).size
    scale = 2.0 ** np.round(np.log2(np.abs(u).mean(axes, keepdims=True)))
    g = upstream * scale * max(1 / t, 1) * t * (1 - np.tanh(t * u) ** 2)
    # du_i/dw_j = (delta_ij - 1/n - u_i u_j / (n - 1)) / std
    return (
        g - g.sum(axes, keepdims=True) / n - u * (g * u).sum(axes, keepdims=True) / (n - 1)
    ) / std


def run(w, t, upstream, **kwargs):
    w = tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch(w)
        y = libra_pb(w, t, **kwargs)
    return y.numpy(), tape.gradient(y, w, output_gradients=tf.constant(upstream)).numpy()


@pytest.mark.parametrize("per", ["filter", "layer"])
@pytest.mark.parametrize("shape", SHAPES)
def test_forward_matches_the_equations(rng, shape, per):
    w = rng.normal(0.3, 2.0, shape)
    for use_scale in (True, False):
        y = libra_pb(tf.constant(w), per=per, use_scale=use_scale).numpy()
        np.testing.assert_array_equal(y, forward(w, per, use_scale))


@pytest.mark.parametrize("t", [0.01, 0.1, 1.0, 4.0])
@pytest.mark.parametrize("per", ["filter", "layer"])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_matches_the_chain_rule(rng, shape, per, t):
    w, upstream = rng.normal(0.3, 2.0, shape), rng.normal(size=shape)
    _, grad = run(w, t, upstream, per=per)
    expected = backward(w, t, upstream, per)
    np.testing.assert_allclose(grad, expected, rtol=1e-9, atol=1e-12)


def test_scale_is_a_power_of_two_and_covers_small_values():
    # one large weight among many zeros: mean|u| is small, so s is negative
    w = np.zeros((3, 3, 16, 1))
    w[0, 0, 0, 0] = 1.0
    y = libra_pb(tf.constant(w)).numpy()
    mean_abs = 2 * np.sqrt(143 / 144) * np.sqrt(143 / 144) / np.sqrt(144)
    assert np.abs(y).max() == 2.0 ** round(np.log2(mean_abs)) == 0.125


def test_scale_gets_no_gradient(rng):
    w, upstream = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(3, 3, 2, 4))
    y, with_scale = run(w, 1.0, upstream)
    _, without = run(w, 1.0, upstream, use_scale=False)
    np.testing.assert_allclose(with_scale, without * np.abs(y), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e30, 1e-30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_filter_is_plus_scale_with_zero_gradient(value, dtype, rng):
    w = rng.normal(size=(3, 3, 4, 3)).astype(dtype)
    w[..., 1] = value
    y, grad = run(w, 0.5, np.ones_like(w))
    np.testing.assert_array_equal(y[..., 1], np.ones((3, 3, 4), dtype))
    np.testing.assert_array_equal(grad[..., 1], 0)
    assert np.isfinite(y).all()
    assert np.isfinite(grad).all()
    np.testing.assert_array_equal(constant_filters(w).numpy(), [False, True, False])


def test_one_weight_per_filter_counts_as_constant():
    y = libra_pb(tf.constant([[-2.0, 3.0]])).numpy()
    np.testing.assert_array_equal(y, [[1.0, 1.0]])


def test_weight_equal_to_the_mean_is_plus():
    y = libra_pb(tf.constant([[-1.0], [0.0], [1.0]]), use_scale=False).numpy()
    np.testing.assert_array_equal(y, [[-1], [1], [1]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_weight_makes_only_its_filter_nan(bad, rng):
    w = rng.normal(size=(3, 3, 2, 3)).astype(np.float32)
    w[0, 0, 0, 1] = bad
    y = libra_pb(tf.constant(w)).numpy()
    assert np.isnan(y[..., 1]).all()
    assert np.isfinite(y[..., [0, 2]]).all()


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float64, (3, 3, 2, 2), elements=st.floats(-1, 1, width=32)),
    st.sampled_from([1e-18, 1e-6, 1.0, 1e6, 1e18]),
)
def test_any_finite_kernel_gives_one_finite_magnitude_per_filter(w, factor):
    w32 = (w * factor).astype(np.float32)
    y, grad = run(w32, 0.1, np.ones_like(w32))
    magnitude = np.abs(y)
    assert np.isfinite(grad).all()
    assert (magnitude == magnitude[0, 0, 0]).all()
    assert (np.frexp(magnitude)[0] == 0.5).all()  # exact powers of two


def test_forward_ignores_scale_and_shift(rng):
    w = rng.normal(size=(3, 3, 4, 6))
    y = libra_pb(tf.constant(w)).numpy()
    for factor, shift in [(4.0, 0.0), (0.25, 0.0), (1.0, 0.5)]:
        np.testing.assert_array_equal(libra_pb(tf.constant(w * factor + shift)).numpy(), y)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
@pytest.mark.parametrize("per", ["filter", "layer"])
def test_half_precision_gives_the_signs_of_float32(rng, dtype, per):
    w = tf.cast(rng.normal(size=(3, 3, 128, 64)), dtype)  # more weights than float16 can count
    y = libra_pb(w, per=per)
    assert y.dtype == dtype
    expected = libra_pb(tf.cast(w, tf.float32), per=per).numpy()
    np.testing.assert_array_equal(tf.cast(y, tf.float32).numpy(), expected)
    assert (expected < 0).any()


@pytest.mark.parametrize("factor", [1e-33, 1e37])
def test_values_near_the_ends_of_float32_neither_overflow_nor_vanish(rng, factor):
    w = np.abs(rng.normal(size=(3, 3, 64, 4))).astype(np.float32)
    y, grad = run(w * np.float32(factor), 0.1, np.ones_like(w))
    np.testing.assert_array_equal(y, libra_pb(w).numpy())
    assert np.isfinite(grad).all()


def test_unknown_grouping_is_refused():
    with pytest.raises(ValueError, match="per must be 'filter' or 'layer', got 'channel'"):
        LibraPB(per="channel")
