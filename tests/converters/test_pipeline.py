"""The passes behind the converter, on real Keras networks: files, gate, verification."""

import pkgutil
from pathlib import Path
from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from random_nets import SEED, randomize_batch_norms

import converters.passes
import irnet_keras  # noqa: F401
from converters.graph import BCONV, MAXPOOL, Edit, Graph, read_graph
from converters.lce import Conversion, convert
from converters.lce.binary_convs import binary_convs
from converters.lce.gate import check_binary
from converters.lce.pipeline import NAMES, run_passes
from converters.passes import Target
from converters.runtimes import TFLiteProcess
from converters.verify import VerifyReport, verify
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.errors import UsageError
from irnet_keras.layers import Hardtanh
from irnet_keras.quantizers import EDESign, LibraPB

LAYERS = tf.keras.layers


def vgg_small(width: int = 16, pad_values: float = 0.0, *, positive: bool = False) -> Any:
    """IR-Net's VGG-Small in small: conv -> (pool) -> batch norm -> hardtanh, a dense layer."""
    tf.keras.utils.set_random_seed(SEED)
    layers = [
        tf.keras.Input((32, 32, 3), name="image"),
        LAYERS.Conv2D(width, 3, padding="same", use_bias=False, name="stem"),
        LAYERS.BatchNormalization(name="norm0"),
        Hardtanh(name="hardtanh0"),
    ]
    for number, (factor, pooled) in enumerate([(1, 1), (2, 0), (2, 1), (4, 0), (4, 1)], 1):
        layers.append(binary(factor * width, f"conv{number}", pad_values))
        layers += [LAYERS.MaxPool2D(2, name=f"pool{number}")] if pooled else []
        layers += [LAYERS.BatchNormalization(name=f"block{number}"), Hardtanh()]
    layers += [LAYERS.Flatten(), LAYERS.Dense(10, name="logits")]
    model = randomize_batch_norms(tf.keras.Sequential(layers))
    if positive:
        for layer in model.layers:
            if isinstance(layer, LAYERS.BatchNormalization):
                layer.gamma.assign(tf.abs(layer.gamma))
    return model


def binary(filters: int, name: str, pad_values: float = 0.0, **options: Any) -> Any:
    return lq.layers.QuantConv2D(
        filters,
        3,
        name=name,
        pad_values=pad_values,
        **{
            "padding": "same",
            "use_bias": False,
            "input_quantizer": EDESign(),
            "kernel_quantizer": LibraPB(),
            **options,
        },
    )


@pytest.fixture(scope="module")
def vgg() -> Any:
    return vgg_small()


@pytest.fixture(scope="module")
def vgg_file(vgg: Any) -> Conversion:
    return convert(vgg, target="delegate")


@pytest.fixture(scope="module")
def plain(vgg: Any) -> Conversion:
    """Without any pass."""
    return convert(vgg, off=NAMES)


def checked(model: Any, data: bytes, images: LabelledImages, **options: Any) -> VerifyReport:
    report = verify(model, data, images, seed=SEED, per_layer_images=2, **options)
    assert report.passed, report.reasons
    assert all(layer.violations == 0 for layer in report.layers)
    return report


def counts(conversion: Conversion) -> dict[str, int]:
    return {report.name: len(report.rewrites) for report in conversion.passes}


def test_every_pass_is_in_the_pipeline_and_has_tests() -> None:
    modules = {m.name for m in pkgutil.iter_modules(converters.passes.__path__) if m.name[0] != "_"}
    assert modules == {name.replace("-", "_") for name in NAMES}
    folder = Path(__file__).parent / "passes"
    assert modules == {p.stem.removeprefix("test_") for p in folder.glob("test_*.py")} - {
        "executors"
    }


def test_vgg_small_stays_packed_between_its_binary_convolutions(
    vgg: Any, vgg_file: Conversion, images: LabelledImages
) -> None:
    assert counts(vgg_file) == {
        "drop-clips": 5,
        "share-signs": 0,
        "pack-outputs": 2,
        "pack-pools": 2,
        "shrink-weights": 0,
        "fold-batch-norms": 0,
        "remove-dead": 1,
    }
    inverted = [r.detail for p in vgg_file.passes for r in p.rewrites if "inverted" in r.detail]
    assert len(inverted) == 2  # negative scales behind a maximum
    graph = read_graph(vgg_file.data)
    convs = graph.ops_named(BCONV)
    between = graph.ops[convs[0].index : convs[-1].index + 1]
    assert {op.name for op in between} == {BCONV, MAXPOOL}
    assert all(graph.tensors[op.outputs[0]].dtype == "INT32" for op in between[:-1])
    report = checked(vgg, vgg_file.data, images)
    assert [layer.output for layer in report.layers] == ["bitpacked"] * 4 + ["float32"]
    assert report.oracle is not None
    assert report.oracle.not_compared == ()


def test_no_prediction_changes_and_no_logit_either(
    plain: Conversion, vgg_file: Conversion, images: LabelledImages, tmp_path: Path
) -> None:
    assert plain.passes == ()
    outputs = []
    for name, data in (("plain", plain.data), ("passes", vgg_file.data)):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        with TFLiteProcess(path) as process:
            outputs.append(process.run(images.images.astype(np.float32) / 128 - 1))
    np.testing.assert_array_equal(outputs[0].view(np.int32), outputs[1].view(np.int32))


def test_equal_input_gives_equal_bytes(vgg: Any, plain: Conversion, vgg_file: Conversion) -> None:
    assert convert(vgg, target="delegate").data == vgg_file.data
    assert run_passes(read_graph(plain.data), "delegate")[0].data == vgg_file.data


@pytest.mark.parametrize("positive", [False, True], ids=["mixed scales", "positive scales"])
def test_target_lce_runs_in_the_default_kernels(
    images: LabelledImages, positive: bool, tmp_path: Path
) -> None:
    """One-padding; pools with negative scales in front of it stay float."""
    model = vgg_small(pad_values=1.0, positive=positive)
    conversion = convert(model)
    assert conversion.target == "lce"
    assert counts(conversion)["pack-outputs"] == 2
    assert counts(conversion)["pack-pools"] == (2 if positive else 0)
    checked(model, conversion.data, images[:4], runtime="lce")
    path = tmp_path / "lce.tflite"
    path.write_bytes(conversion.data)
    for mode in ("default", "indirect"):
        with TFLiteProcess(path, engine="lce", mode=mode) as process:
            assert process.run(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 10)


def test_every_pass_can_be_turned_off(vgg: Any, plain: Conversion) -> None:
    """And what the others make of the file still passes the gate."""
    convs = binary_convs(vgg)
    for name in NAMES:
        graph, reports = run_passes(read_graph(plain.data), "delegate", [name])
        assert [r.name for r in reports] == [n for n in NAMES if n != name]
        check_binary(graph, convs)


def test_names_of_passes_and_targets_are_checked(vgg: Any) -> None:
    with pytest.raises(UsageError, match=r"pass must be one of drop-clips, .*, got 'nothing'"):
        convert(vgg, off=["nothing"])
    with pytest.raises(UsageError, match="target must be one of lce, delegate, got 'phone'"):
        convert(vgg, target="phone")  # type: ignore[arg-type]


NORM = LAYERS.BatchNormalization


@pytest.mark.parametrize(
    "middle",
    [
        lambda: [Hardtanh(), NORM(name="block")],
        lambda: [LAYERS.ReLU(), NORM(name="block")],
        lambda: [NORM(name="block"), LAYERS.MaxPool2D(3, 2, "same"), Hardtanh()],
        lambda: [NORM(name="block_a"), LAYERS.MaxPool2D(2), NORM(name="b"), Hardtanh()],
        lambda: [LAYERS.MaxPool2D(2), Hardtanh(), NORM(name="block")],
    ],
    ids=["clip-norm", "relu-norm", "norm-pool-clip", "norm-pool-norm", "pool-clip-norm"],
)
@pytest.mark.parametrize("target", ["delegate", "lce"])
def test_other_orders_are_packed_and_verified(
    images: LabelledImages, middle: Any, target: Target
) -> None:
    pad = 0.0 if target == "delegate" else 1.0
    model = randomize_batch_norms(
        tf.keras.Sequential(
            [
                tf.keras.Input((32, 32, 3)),
                LAYERS.Conv2D(32, 3, strides=2, padding="same", name="stem"),
                binary(40, "first", pad),
                *middle(),
                binary(32, "second", padding="valid"),
                NORM(name="block_last"),
                LAYERS.GlobalAveragePooling2D(),
                LAYERS.Dense(10),
            ]
        )
    )
    conversion = convert(model, target=target)
    done = counts(conversion)
    refused = [r.reason for p in conversion.passes for r in p.refusals if p.name != "drop-clips"]
    # (LCE packs some of those for it by itself)
    assert done["pack-outputs"] + done["pack-pools"] == 1 or target == "lce", refused
    report = checked(model, conversion.data, images[:5])
    assert [layer.output for layer in report.layers] == ["bitpacked", "float32"]


def damaged(graph: Graph, tensor: int, change: Any) -> bytes:
    constant = graph.tensors[tensor]
    assert constant.data is not None
    data = bytearray(graph.data)
    offset = constant.data_offset
    assert offset is not None
    values = change(constant.data.copy())
    data[offset : offset + constant.data.nbytes] = values.tobytes()
    return bytes(data)


@pytest.mark.parametrize("number", [0, 3])
def test_a_wrong_threshold_is_found(
    vgg: Any, vgg_file: Conversion, images: LabelledImages, number: int
) -> None:
    graph = read_graph(vgg_file.data)
    tensor = graph.ops_named(BCONV)[number].inputs[4]
    report = verify(vgg, damaged(graph, tensor, lambda t: t + 1), images[:4])
    assert not report.passed
    assert any(f"conv{number + 1}" in reason for reason in report.reasons)


def test_an_input_channel_inverted_too_much_is_found(
    vgg: Any, vgg_file: Conversion, images: LabelledImages
) -> None:
    """The second convolution reads pooled bits: the gate's matching allows any inversion there."""
    graph = read_graph(vgg_file.data)
    tensor = graph.ops_named(BCONV)[1].inputs[1]
    report = verify(vgg, damaged(graph, tensor, lambda w: w ^ 1), images[:4])
    assert not report.passed
    assert any("conv2: 288 weight bits differ" in reason for reason in report.reasons)


def test_edits_write_what_the_reader_reads(resnet_file: Conversion) -> None:
    graph = read_graph(resnet_file.data)
    again = Edit(graph).finish()
    assert again.ops == graph.ops
    assert (again.inputs, again.outputs) == (graph.inputs, graph.outputs)
    for a, b in zip(again.tensors, graph.tensors, strict=True):
        assert (a.name, a.shape, a.dtype) == (b.name, b.shape, b.dtype)
        np.testing.assert_array_equal(a.data, b.data)
    assert Edit(again).finish().data == again.data
