"""Information measures of binary kernels, against numbers by hand and the real quantizer."""

import numpy as np
import pytest

from irnet_keras.quantizers import libra_pb
from irnet_keras.training.information import (
    binary_kernels,
    entropy,
    kernel_signs,
    layer_information,
    standardized,
)


def arrays(kernel, t=0.5):
    return {"a_conv/kernel:0": kernel, "a_kernel_quantizer_t:0": np.float32(t)}


def test_entropy_by_hand():
    np.testing.assert_allclose(
        entropy(np.array([0, 0.25, 0.5, 1])), [0, 0.8112781244591328, 1, 0], atol=1e-15
    )


def test_measures_by_hand():
    # filter 0: signs + - - - (mean 0), filter 1: constant, filter 2: two and two
    kernel = np.array([[3, -1, -1, -1], [5, 5, 5, 5], [1, 1, -1, -1]], np.float32).T
    before = {"a": np.ones((4, 3), bool)}
    (info,) = layer_information(arrays(kernel.reshape(2, 2, 1, 3)), before)
    assert (info.layer, info.weights, info.filters, info.dead_filters) == ("a", 12, 3, 1)
    # +1: one, four (0 counts as +1), two of twelve
    assert info.entropy == pytest.approx(float(entropy(7 / 12)), abs=1e-12)
    assert info.filter_entropy == pytest.approx((0.8112781244591328 + 0 + 1) / 3, abs=1e-12)
    assert info.flip_rate == 5 / 12
    # filter 0: u = (1.5, -.5, -.5, -.5), scale 1; filter 2: |u| = sqrt(3)/2, scale 1
    error = 4 * 0.25 + 4 * (1 - 3**0.5 / 2) ** 2
    assert info.quantization_error == pytest.approx(error / (3 + 3), abs=1e-12)
    assert (info.kernel_t, info.input_t, info.useful_gradient) == (0.5, None, None)


def test_agrees_with_the_quantizer(rng):
    kernel = rng.normal(0.3, 2, (3, 3, 8, 16)).astype(np.float32)
    binary = libra_pb(kernel).numpy().reshape(-1, 16)
    assert np.array_equal(kernel_signs(arrays(kernel), ["a"])["a"], binary > 0)
    u = standardized(kernel)
    (info,) = layer_information(arrays(kernel))
    expected = ((u - binary) ** 2).sum() / (u**2).sum()
    assert info.quantization_error == pytest.approx(expected, rel=1e-9)


def test_only_layers_with_a_quantizer_count_in_the_order_of_their_numbers(rng):
    kernel = rng.normal(size=(3, 3, 2, 2)).astype(np.float32)
    found = {"stem_conv/kernel:0": kernel, "logits/kernel:0": kernel}
    for n in (10, 9):
        found[f"block{n}_conv/kernel:0"] = kernel
        found[f"block{n}_input_quantizer_t:0"] = np.float32(2)
    found["block10_kernel_quantizer_t:0"] = np.float32(2)
    infos = layer_information(found, useful={"block9": 0.25})
    assert [i.layer for i in infos] == ["block9", "block10"]
    assert (infos[0].entropy, infos[0].useful_gradient, infos[1].input_t) == (None, 0.25, 2)
    assert binary_kernels(found) == ["block10"]
