"""NaN and infinity on either side fail a verification, and are named."""

import json
import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from random_nets import SEED, randomize_batch_norms

from converters.baselines import build_baseline
from converters.lce import Conversion, convert
from converters.verify import Limits, VerifyReport, verify
from converters.verify.layers import _compare_bits, _compare_floats
from converters.verify.outputs import compare_outputs, output_reasons
from converters.verify.reference import Affine
from converters.verify.report import Kind
from irnet_keras import models
from irnet_keras.data.cifar10 import LabelledImages

BAD = [np.nan, np.inf, -np.inf]


def reasons(kind: Kind, keras: Any, file: Any, reference: Any) -> list[str]:
    labels = np.zeros(len(keras), np.int64)
    report = compare_outputs(kind, keras, file, labels, reference)
    json.dumps(report.model_dump(mode="json"), allow_nan=False)
    return output_reasons(kind, report, Limits())


def logits(rng: np.random.Generator, bad: float | None = None) -> np.ndarray:
    values = rng.standard_normal((50, 10)).astype(np.float32)
    if bad is not None:
        values[7, 3] = bad
    return values


@pytest.mark.parametrize("kind", ["lce", "float32", "float16", "int8"])
def test_nan_everywhere_agrees_with_nothing(kind: Kind, rng: np.random.Generator) -> None:
    none = np.full((50, 10), np.nan, np.float32)
    both = reasons(kind, none, none, none)
    assert "500 logits of Keras are NaN or infinite" in both
    assert "500 logits of the file are NaN or infinite" in both
    assert any("only 0.0% of 50 images" in reason for reason in both)
    constant = reasons(kind, none, np.zeros_like(none), none)
    assert constant[0] == "500 logits of Keras are NaN or infinite"
    assert reasons(kind, logits(rng), none, logits(rng))[0].startswith("500 logits of the file")


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("kind", ["lce", "float32", "float16", "int8"])
def test_one_bad_logit_is_a_reason(kind: Kind, bad: float, rng: np.random.Generator) -> None:
    good = logits(rng)
    worse = good.copy()
    worse[7, 3] = bad
    assert reasons(kind, good, good, good) == []
    assert reasons(kind, worse, good, good)[0] == "1 logits of Keras are NaN or infinite"
    assert reasons(kind, good, worse, good)[0] == "1 logits of the file are NaN or infinite"
    if kind == "lce":
        message = "1 logits of Keras given the file's signs are NaN or infinite"
        assert reasons(kind, good, good, worse)[0] == message


def test_images_without_an_answer_are_wrong() -> None:
    bad = np.full((4, 10), np.nan, np.float32)
    good = np.eye(10, dtype=np.float32)[:4]
    report = compare_outputs("float32", bad, good, np.zeros(4, np.int64), good)
    assert (report.keras_accuracy, report.file_accuracy, report.agreement) == (0.0, 0.25, 0.0)


ONES = np.ones(4)
AFFINE = Affine(ONES, 0 * ONES, -np.inf, np.inf, 1e-6 * ONES, 9 * ONES)


@pytest.mark.parametrize("bad", BAD)
def test_float_outputs_that_are_not_finite_are_violations(bad: float) -> None:
    good = np.ones((1, 2, 2, 4))
    worse = good.copy()
    worse[0, 1, 0, 2] = bad
    with np.errstate(invalid="ignore"):
        found = [
            _compare_floats(AFFINE, expected, actual)
            for expected, actual in [(worse, good), (good, worse), (worse, worse)]
        ]
    for compared in found:
        assert compared["violations"] == compared["non_finite"] == 1
        assert compared["worst_index"] == (0, 1, 0, 2)
        assert np.isfinite([compared["worst_error"], compared["tolerance"]]).all()
    assert _compare_floats(AFFINE, good, good)["violations"] == 0


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("bits", [0, 0b1111])
def test_bits_of_values_that_are_not_finite_are_violations(bad: float, bits: int) -> None:
    expected = np.full((1, 1, 1, 4), 1.0 if bits == 0 else -1.0)
    expected[..., 2] = bad
    actual = np.full((1, 1, 1, 1), bits, np.int32)
    with np.errstate(invalid="ignore"):
        compared = _compare_bits(AFFINE, expected, actual)
    assert compared["violations"] == compared["non_finite"] == 1
    assert np.isfinite([compared["worst_error"], compared["tolerance"]]).all()


def with_batch_norm_value(value: float) -> Any:
    """ResNet-20 with this offset in one channel of one batch norm in the middle."""
    tf.keras.utils.set_random_seed(SEED)
    model = randomize_batch_norms(models.load("resnet20-w1a1-cifar10", pretrained=False))
    norm = model.get_layer("stage2_block1a_bn")
    gamma, beta, mean, variance = norm.get_weights()
    beta[5] = value
    norm.set_weights([gamma, beta, mean, variance])
    return model


def checked(report: VerifyReport) -> VerifyReport:
    assert not report.passed
    json.dumps(report.model_dump(mode="json"), allow_nan=False)
    return report


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_with_a_bad_batch_norm_fails_by_layer(
    value: float, images: LabelledImages
) -> None:
    model = with_batch_norm_value(value)
    lines: list[str] = []
    conversion = convert(model, lines.append, strict=False)
    assert any(
        re.match("warning: .* stage2_block1a_conv: .*NaN or infinite", line) for line in lines
    )
    report = checked(verify(model, conversion.data, images[:4], seed=SEED))
    assert any(
        "layer stage2_block1a_conv" in reason and "NaN or infinite" in reason
        for reason in report.reasons
    )


def test_a_good_file_of_a_network_that_became_nan_fails(
    resnet_file: Conversion, images: LabelledImages
) -> None:
    model = with_batch_norm_value(np.nan)
    report = checked(verify(model, resnet_file.data, images[:4], seed=SEED))
    assert any("NaN or infinite" in reason for reason in report.reasons)


def test_a_float_file_of_a_nan_network_fails(images: LabelledImages) -> None:
    model = models.load("resnet20-float32-cifar10", pretrained=False)
    norm = model.get_layer("head_bn")
    norm.set_weights([np.full_like(w, np.nan) for w in norm.get_weights()])
    report = checked(verify(model, build_baseline(model, "float32"), images[:4]))
    assert report.reasons[0] == "40 logits of Keras are NaN or infinite"
    assert report.reasons[1] == "40 logits of the file are NaN or infinite"
