"""Arithmetic of the leftovers: windows, folded strides, rounding, bias, limits."""

import numpy as np
import pytest
import tensorflow as tf

from converters.graph.builtin_ops import ConvOptions
from converters.graph.windows import windows
from converters.leftovers.fold_strides import folded_weights
from converters.leftovers.modes import checked_mode
from converters.leftovers.rounding import corrected_bias, round_weights, scales
from converters.leftovers.score import Score, allowed_loss, check
from converters.leftovers.statistics import Moments
from irnet_keras.errors import CheckFailed, UsageError


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("kernel", "strides", "dilation"),
    [((3, 3), (1, 1), (1, 1)), ((7, 5), (2, 2), (1, 1)), ((3, 2), (1, 1), (2, 3))],
)
def test_windows_times_filters_is_the_convolution(
    padding: str,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    x = rng.integers(-9, 10, (2, 11, 12, 3)).astype(np.float32)
    w = rng.integers(-9, 10, (*kernel, 3, 4)).astype(np.float32)
    expected = tf.nn.conv2d(x, w, strides, padding, dilations=dilation).numpy()
    found = windows(x, kernel, ConvOptions(0 if padding == "SAME" else 1, strides, dilation))
    # integers below 2^24: float32 sums are exact in every order
    np.testing.assert_array_equal(np.einsum("nyxhwc,hwco->nyxo", found, w), expected)


@pytest.mark.parametrize("size", range(1, 9))
def test_a_folded_stride_gives_the_same_sums(size: int, rng: np.random.Generator) -> None:
    x = rng.integers(-9, 10, (1, 12, 14, 3)).astype(np.float32)
    w = rng.integers(-9, 10, (size, size, 3, 4)).astype(np.float32)
    for padding, before in (("SAME", max(size - 2, 0) // 2), ("VALID", 0)):
        folded = folded_weights(w.transpose(3, 0, 1, 2), (before % 2, before % 2))
        blocks = tf.nn.space_to_depth(x, 2)
        found = tf.nn.conv2d(blocks, folded.transpose(1, 2, 3, 0), 1, padding).numpy()
        np.testing.assert_array_equal(found, tf.nn.conv2d(x, w, 2, padding).numpy())


@pytest.mark.parametrize("per_channel", [True, False])
def test_rounding_lowers_the_error_of_sums_and_stays_on_the_grid(
    per_channel: bool, rng: np.random.Generator
) -> None:
    inputs = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 24))
    inputs += 0.1 * rng.standard_normal((500, 24))
    weights = rng.standard_normal((6, 24))
    weights[:, 5] = 0
    weights[2] = 0
    step = scales(weights, per_channel=per_channel)
    covariance = np.cov(inputs.T)
    rounded = round_weights(weights, step, covariance)
    codes = rounded / step
    np.testing.assert_allclose(codes, np.rint(codes), atol=1e-9)
    assert np.abs(codes).max() <= 127 + 1e-9
    assert (np.abs(rounded - weights) < step).all()
    assert (rounded[weights == 0] == 0).all()
    # the largest weights define the scales, which the quantizer derives again
    np.testing.assert_allclose(scales(rounded, per_channel=per_channel), step, rtol=1e-12)

    def loss(values: np.ndarray) -> float:
        error = values - weights
        return float(np.einsum("oi,ij,oj->", error, covariance, error))

    assert loss(rounded) < 0.3 * loss(np.rint(weights / step) * step)


def test_corrected_bias_keeps_the_mean_of_every_sum(rng: np.random.Generator) -> None:
    inputs = rng.standard_normal((50, 8)) + 3
    before, bias = rng.standard_normal((4, 8)), rng.standard_normal(4).astype(np.float32)
    after = before + 0.1 * rng.standard_normal((4, 8))
    moments = Moments(inputs.mean(axis=0), np.cov(inputs.T))
    new = corrected_bias(bias, before, after, moments)
    means = (inputs @ before.T + bias).mean(axis=0)
    np.testing.assert_allclose((inputs @ after.T + new).mean(axis=0), means, atol=1e-6)


def score(before: float, after: float, changed: int) -> Score:
    return Score(1000, "", before, after, changed, 1.0, 0.0, 0.0, 1.0, 0.0)


def test_accuracy_may_fall_by_the_limit_and_chance() -> None:
    assert allowed_loss(score(0.8, 0.8, 0), "int8") == 5
    assert allowed_loss(score(0.8, 0.8, 100), "int8") == 25
    assert allowed_loss(score(0.8, 0.8, 0), "int8-weights") == 1
    check(score(0.8, 0.775, 100), "int8")
    check(score(0.5, 0.9, 400), "int8")
    with pytest.raises(CheckFailed, match=r"from 80\.00% to 77\.40% on 1000 images, by 26; at mo"):
        check(score(0.8, 0.774, 100), "int8")


def test_unknown_mode_names_the_accepted() -> None:
    with pytest.raises(UsageError, match="--x must be one of float32, int8-weights, int8, got 'i'"):
        checked_mode("i", "--x")
