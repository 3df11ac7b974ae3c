"""ResNet-20 on real images: the right file passes, each kind of wrong one fails by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from random_nets import SEED, randomize_batch_norms

from converters.baselines import build_baseline
from converters.graph import BCONV, read_graph
from converters.lce import Conversion, convert
from converters.verify import Limits, VerifyReport, verify
from converters.verify.outputs import output_reasons
from converters.verify.report import Kind, OutputReport
from irnet_keras import models
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.errors import UsageError


@pytest.fixture(scope="module")
def report(resnet: Any, resnet_file: Conversion, images: LabelledImages) -> VerifyReport:
    return verify(resnet, resnet_file.data, images, seed=SEED)


def test_the_right_file_passes(report: VerifyReport) -> None:
    assert report.passed, report.reasons
    assert report.kind == "lce"
    assert len(report.layers) == len(report.quantize) == len(report.flips) == 18
    assert all(layer.worst_error <= layer.tolerance for layer in report.layers)
    assert all(flip.unexplained == 0 for flip in report.flips + report.flips_given_bits)
    assert report.runtime is not None
    assert "lce_delegate" in report.runtime
    assert report.oracle is not None
    assert len(report.oracle.layers) == 54
    assert report.oracle.num_values > 2_000_000
    assert not report.oracle.not_compared


def test_rounding_stays_far_below_the_logit_tolerance(report: VerifyReport) -> None:
    """The tolerance has slack: logits are within 2^-16 of the largest, 2^-12 is allowed."""
    assert report.outputs is not None
    assert report.outputs.worst_logit_error is not None
    assert report.outputs.logit_tolerance is not None
    assert report.outputs.worst_logit_error < report.outputs.logit_tolerance / 16


def test_the_report_survives_json(report: VerifyReport) -> None:
    text = json.dumps(report.model_dump(mode="json"))
    assert VerifyReport.model_validate_json(text) == report
    assert json.loads(text)["schema_id"] == "irnet/verify-report"


def test_the_same_seed_gives_the_same_report(
    resnet: Any, resnet_file: Conversion, images: LabelledImages, report: VerifyReport
) -> None:
    assert verify(resnet, resnet_file.data, images, seed=SEED) == report


@pytest.mark.parametrize("layer", [0, 9, 17])
def test_one_flipped_weight_bit_names_its_layer(
    resnet: Any, resnet_file: Conversion, images: LabelledImages, layer: int
) -> None:
    graph = read_graph(resnet_file.data)
    op = graph.ops_named(BCONV)[layer]
    kernel = graph.tensors[op.inputs[1]]
    assert kernel.data_offset is not None
    damaged = bytearray(resnet_file.data)
    damaged[kernel.data_offset] ^= 0b100  # filter 0, tap (0, 0), channel 2
    report = verify(resnet, bytes(damaged), images[:10], seed=SEED)
    assert not report.passed
    bad = [r for r in report.layers if not r.passed]
    assert [r.layer for r in bad] == [resnet_file.binary_layers[layer]]
    assert bad[0].wrong_weight_bits == 1
    assert bad[0].first_wrong_weight == (0, 0, 0, 2)
    assert bad[0].violations > 0
    assert resnet_file.binary_layers[layer] in report.reasons[0]


def test_a_changed_multiplier_names_its_layer(
    resnet: Any, resnet_file: Conversion, images: LabelledImages
) -> None:
    graph = read_graph(resnet_file.data)
    multiplier = graph.tensors[graph.ops_named(BCONV)[5].inputs[2]]
    assert multiplier.data is not None
    assert multiplier.data_offset is not None
    damaged = bytearray(resnet_file.data)
    value = np.float32(multiplier.data[3] * 1.001).tobytes()
    damaged[multiplier.data_offset + 12 : multiplier.data_offset + 16] = value
    report = verify(resnet, bytes(damaged), images[:10], seed=SEED)
    bad = [r.layer for r in report.layers if not r.passed]
    assert bad == [resnet_file.binary_layers[5]]


def test_the_file_of_another_network_of_the_same_shape_fails(
    resnet_file: Conversion, images: LabelledImages
) -> None:
    tf.keras.utils.set_random_seed(SEED + 1)
    other = models.load("resnet20-w1a1-cifar10", pretrained=False)
    report = verify(randomize_batch_norms(other, SEED + 1), resnet_file.data, images[:20])
    assert not report.passed
    assert not any(layer.passed for layer in report.layers)


def test_the_file_of_another_structure_fails(
    resnet_file: Conversion, images: LabelledImages
) -> None:
    other = models.build_model("resnet20", precision="float32")
    report = verify(other, resnet_file.data, images[:20])
    assert not report.passed
    assert any("belongs to no layer" in reason for reason in report.reasons)


def test_another_number_of_classes_fails(resnet_file: Conversion, images: LabelledImages) -> None:
    report = verify(models.build_model("resnet20", num_classes=7), resnet_file.data, images[:4])
    assert report.reasons == ("the file maps (32, 32, 3) to (10,), the model (32, 32, 3) to (7,)",)


def test_a_damaged_file_never_reaches_the_interpreter(
    resnet: Any, resnet_file: Conversion, images: LabelledImages, tmp_path: Path
) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(resnet_file.data[:20_000])
    with pytest.raises(UsageError, match="damaged"):
        verify(resnet, path, images)


@pytest.mark.parametrize(
    "options",
    [{"pad_values": 1}, {"structure": "normal"}, {"pad_values": 1, "structure": "normal"}],
    ids=["one-padded", "normal", "normal, one-padded"],
)
def test_other_forms_of_the_network_convert_and_pass(
    images: LabelledImages, options: dict[str, Any]
) -> None:
    model = randomize_batch_norms(models.build_model("resnet20", **options))
    conversion = convert(model)
    ops = read_graph(conversion.data).ops_named(BCONV)
    expected = (0, options.get("pad_values", 0))  # SAME
    assert {(op.options.padding, op.options.pad_values) for op in ops} == {expected}
    report = verify(model, conversion.data, images, seed=SEED)
    assert report.passed, report.reasons
    assert len(report.layers) == 18
    assert all(layer.passed and layer.num_outputs for layer in report.layers)
    assert all(flip.unexplained == 0 for flip in report.flips_given_bits)


@pytest.mark.parametrize("pad_values", [0, 1])
def test_binary_weights_alone_convert_with_a_line_and_pass(
    images: LabelledImages, pad_values: int
) -> None:
    model = models.build_model("resnet20", precision="w1a32", pad_values=pad_values)
    lines: list[str] = []
    conversion = convert(randomize_batch_norms(model), lines.append)
    assert lines[0] == "no layer has binary weights and binary inputs: all weights stay float"
    report = verify(model, conversion.data, images, seed=SEED)
    assert report.passed, report.reasons
    assert report.kind == "float32"
    assert report.outputs is not None
    assert report.outputs.worst_logit_error is not None


@pytest.fixture(scope="module")
def float_resnet() -> Any:
    tf.keras.utils.set_random_seed(SEED)
    return models.load("resnet20-float32-cifar10", pretrained=False)


@pytest.mark.parametrize("fmt", ["float32", "float16", "int8"])
def test_baselines_have_their_format_and_are_compared_by_logits(
    float_resnet: Any, images: LabelledImages, fmt: str
) -> None:
    data = build_baseline(float_resnet, fmt)
    # int8 steps are as large as the logit gaps of an untrained network
    report = verify(float_resnet, data, images, limits=Limits(min_agreement=0.3))
    assert report.passed, report.reasons
    assert report.kind == fmt
    assert any("only logits and accuracy" in note for note in report.notes)
    graph = read_graph(data)
    kernels = {graph.tensors[op.inputs[1]].dtype for op in graph.ops_named("CONV_2D")}
    # (float16 kernels are unpacked by a DEQUANTIZE)
    assert kernels == {"INT8" if fmt == "int8" else "FLOAT32"}


def test_another_networks_float_file_fails_by_logits(
    float_resnet: Any, images: LabelledImages
) -> None:
    data = build_baseline(float_resnet, "float32")
    tf.keras.utils.set_random_seed(SEED + 1)
    other = models.load("resnet20-float32-cifar10", pretrained=False)
    report = verify(other, data, images)
    assert any("logits differ" in reason for reason in report.reasons)


def test_unknown_format_is_a_usage_error(float_resnet: Any) -> None:
    with pytest.raises(UsageError, match="float32, float16, int8, got 'int4'"):
        build_baseline(float_resnet, "int4")


@pytest.mark.parametrize(
    ("num_images", "file_accuracy", "changed", "fails"),
    [
        (10_000, 0.798, 40, False),  # 0.2 points: at the limit
        (10_000, 0.7979, 400, True),  # one image more, however many changed
        (10_000, 0.8021, 400, True),  # better than Keras is not Keras either
        (10_000, 0.797, 400, True),  # 0.3 points, less than chance among 400 changed: no excuse
        (9_999, 7_959 / 9_999, 400, False),  # 40 images, 2 sqrt(400): chance
        (9_999, 7_958 / 9_999, 400, True),  # 41 images
        (1_000, 0.798, 2, False),  # 0.2 points
        (1_000, 0.796, 4, False),  # 4 images, 2 sqrt(4)
        (1_000, 0.795, 5, True),  # all 5 changed for the worse
        (999, 700 / 999, 200, False),  # too few images for the accuracy rule
    ],
)
@pytest.mark.parametrize("kind", ["lce", "float32", "float16"])
def test_the_accuracy_rule(
    kind: Kind, num_images: int, file_accuracy: float, changed: int, fails: bool
) -> None:
    keras_accuracy = 0.8 if num_images % 1000 == 0 else 7_999 / 9_999
    assert bool(accuracy_reasons(kind, num_images, keras_accuracy, file_accuracy, changed)) == fails


@pytest.mark.parametrize(
    ("file_accuracy", "changed", "fails"),
    [(0.780, 200, False), (0.7799, 200, True), (0.775, 16_000, False), (0.775, 15_000, True)],
)
def test_the_accuracy_rule_of_int8(file_accuracy: float, changed: int, fails: bool) -> None:
    reasons = accuracy_reasons("int8", 10_000, 0.8, file_accuracy, changed)
    assert bool(reasons) == fails


def test_a_limit_that_is_no_number_passes_nothing() -> None:
    for limits in (Limits(min_agreement=np.nan), Limits(max_accuracy_points=np.nan)):
        assert accuracy_reasons("lce", 10_000, 0.8, 0.8, 0, limits)


def accuracy_reasons(
    kind: Kind,
    num_images: int,
    keras_accuracy: float,
    file_accuracy: float,
    changed: int,
    limits: Limits | None = None,
) -> list[str]:
    report = OutputReport(
        num_images=num_images,
        agreement=0.9,
        keras_accuracy=keras_accuracy,
        file_accuracy=file_accuracy,
        changed=changed,
        worst_logit_error=None,
        logit_tolerance=None,
    )
    return output_reasons(kind, report, limits or Limits())
