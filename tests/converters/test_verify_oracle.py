"""The delegate against LCE's interpreter: equal bits pass, any other bit fails by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from model_files import binary_conv, write_lce
from random_nets import SEED

from converters.graph import BCONV, Graph, read_graph
from converters.lce import Conversion
from converters.runtimes import TFLiteProcess
from converters.runtimes.watching import runner
from converters.verify import verify
from converters.verify.oracle import (
    _Found,
    compare_with_lce,
    differing,
    oracle_reasons,
)
from converters.verify.part import part_file, parts
from converters.verify.report import OracleReport
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.data.preprocessing import preprocess

OTHER_ARITHMETIC = """
import importlib.util, sys
from pathlib import Path

folder = [p for p in sys.path if (Path(p) / "lce_delegate" / "liblce_delegate.so").is_file()][0]
spec = importlib.util.spec_from_file_location(
    "lce_delegate", f"{folder}/lce_delegate/__init__.py",
    submodule_search_locations=[f"{folder}/lce_delegate"],
)
package = sys.modules["lce_delegate"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
load = package.load
package.load = lambda **options: load(**options, exactness="keras")
"""


@pytest.fixture
def delegate_with_other_arithmetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes get a delegate that is right by Keras but rounds unlike LCE."""
    (tmp_path / "lce_delegate.py").write_text(OTHER_ARITHMETIC)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.fixture(scope="module")
def graph(resnet_file: Conversion) -> Graph:
    return read_graph(resnet_file.data)


@pytest.fixture(scope="module")
def inputs(images: LabelledImages) -> Any:
    return preprocess(images[:8].images)


def names(graph: Graph) -> dict[int, str]:
    return {op.index: f"conv{i}" for i, op in enumerate(graph.ops_named(BCONV))}


def with_flipped_weight(graph: Graph, layer: int) -> Graph:
    kernel = graph.tensors[graph.ops_named(BCONV)[layer].inputs[1]]
    assert kernel.data_offset is not None
    damaged = bytearray(graph.data)
    damaged[kernel.data_offset] ^= 1
    return read_graph(bytes(damaged))


@pytest.mark.usefixtures("delegate_with_other_arithmetic")
def test_a_delegate_that_rounds_unlike_lce_fails_by_layer_and_only_here(
    resnet: Any, resnet_file: Conversion, images: LabelledImages
) -> None:
    report = verify(resnet, resnet_file.data, images[:12], seed=SEED)
    assert not report.passed
    assert all(layer.passed for layer in report.layers)  # Keras sees nothing wrong
    assert report.oracle is not None
    wrong = [layer for layer in report.oracle.layers if layer.differing]
    assert {layer.name for layer in wrong} == {f"layer {n}" for n in resnet_file.binary_layers}
    assert len(report.reasons) == len(wrong)
    for reason, layer in zip(report.reasons, wrong, strict=True):
        assert reason.startswith(f"{layer.name}: {layer.differing} values differ from LCE's")


@pytest.mark.parametrize("layer", [0, 7, 17])
def test_one_weight_bit_between_the_two_runs_names_its_layer(
    graph: Graph, inputs: Any, layer: int
) -> None:
    watch = runner(with_flipped_weight(graph, layer), "delegate", "auto")
    report = compare_with_lce(graph, watch, inputs, inputs[:2], names(graph))
    bad = [found for found in report.layers if found.differing]
    assert [found.name for found in bad] == [f"layer conv{layer}"]
    (reason,) = oracle_reasons(report)
    assert reason.startswith(f"layer conv{layer}: {bad[0].differing} values differ")
    assert "instead of" in reason
    later = [found for found in report.layers if found.op_index > bad[0].op_index]
    assert all(found.downstream == 0 for found in report.layers if found not in later)
    assert any(found.downstream for found in later)
    # as the file really runs, the difference arrives at the end of the part
    assert any(found.merged_differing for found in report.layers)


def test_the_binary_operators_of_resnet20_and_what_is_merged_are_one_part(graph: Graph) -> None:
    (part,) = parts(graph)
    assert part.modes == ("indirect", "default")
    assert (
        sorted(op.name for op in part.ops)
        == ["ADD"] * 18 + ["LceBconv2d"] * 18 + ["LceQuantize"] * 18
    )
    producers = [graph.producer(i) for i in part.inputs]
    assert [op.name for op in producers if op] == ["CONV_2D", "PAD", "PAD"]
    readers = [[op.name for op in graph.ops if i in op.inputs] for i in part.ends]
    assert [sorted(set(r) - {op.name for op in part.ops}) for r in readers] == [
        ["STRIDED_SLICE"], ["STRIDED_SLICE"], ["MEAN"],
    ]  # fmt: skip


def test_everything_is_compared_on_the_images_that_were_asked_for(
    graph: Graph, inputs: Any
) -> None:
    (part,) = parts(graph)
    watch = runner(graph, "delegate", "auto")
    report = compare_with_lce(graph, watch, inputs, inputs[:3], names(graph))
    size = {t.index: int(np.prod(t.shape)) for t in graph.tensors}
    expected = 3 * sum(size[i] for i in part.outputs) + 8 * sum(size[i] for i in part.ends)
    assert report.num_values == expected
    assert (report.num_images, report.per_layer_images) == (8, 3)
    assert report.not_compared == ()
    assert report.engines[0].startswith("LCE ")
    assert oracle_reasons(report) == []


def test_a_part_alone_computes_what_the_whole_file_does(
    folder: Path, rng: np.random.Generator
) -> None:
    path = write_lce(binary_conv(channels=40), folder / "whole.tflite")
    graph = read_graph(path)
    (part,) = parts(graph)
    assert len(part.ops) == len(graph.ops)
    file = folder / "part.tflite"
    file.write_bytes(part_file(graph, part, part.ends))
    assert read_graph(file).ops == graph.ops
    x = rng.standard_normal((3, 8, 8, 40)).astype(np.float32)
    with TFLiteProcess(path, engine="lce") as whole, TFLiteProcess(file, engine="lce") as alone:
        np.testing.assert_array_equal(whole.run(x), alone.run(x))


def test_a_part_keeps_the_operators_it_is_given(graph: Graph, inputs: Any) -> None:
    (part,) = parts(graph)
    edited = read_graph(part_file(graph, part, part.outputs))
    assert [(op.name, op.inputs, op.outputs) for op in edited.ops] == [
        (op.name, op.inputs, op.outputs) for op in part.ops
    ]
    assert (edited.inputs, edited.outputs) == (part.inputs, part.outputs)


def test_zero_padding_of_small_images_is_held_against_lces_reference_kernels(
    folder: Path, rng: np.random.Generator
) -> None:
    graph = read_graph(write_lce(binary_conv(image=2), folder / "tiny.tflite"))
    assert [(part.modes, [op.name for op in part.ops]) for part in parts(graph)] == [
        (("indirect", "default"), ["LceQuantize"]),
        (("reference",), ["LceBconv2d"]),
    ]
    report = compared(graph, rng)
    assert len(report.engines) == 2
    assert len(report.layers) == 2
    assert not report.not_compared
    assert oracle_reasons(report) == []


def test_what_lce_refuses_is_said_and_does_not_fail(folder: Path, rng: np.random.Generator) -> None:
    """An odd number of channels, zero padding and a ReLU: none of LCE's kernels takes that."""
    original = read_graph(write_lce(binary_conv(channels=33), folder / "odd.tflite"))
    options = original.ops_named(BCONV)[0].custom_options
    changed = flexbuffers.Dumps({**flexbuffers.Loads(options), "fused_activation_function": 1})
    report = compared(read_graph(original.data.replace(options, bytes(changed))), rng)
    assert len(report.not_compared) == 1
    assert report.not_compared[0].startswith("not compared with LCE: 1 operators: ")
    assert [layer.name[:24] for layer in report.layers] == ["operator 0 (LceQuantize "]
    assert oracle_reasons(report) == []


def compared(graph: Graph, rng: np.random.Generator) -> OracleReport:
    """On random inputs; the file must have one input."""
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = rng.standard_normal((4, *shape)).astype(np.float32)
    return compare_with_lce(graph, runner(graph, "delegate", "auto"), x, x[:2], {})


def test_a_difference_that_only_merging_makes_is_a_reason(graph: Graph) -> None:
    (part,) = parts(graph)
    found = _Found(graph, names(graph))
    values = {i: np.zeros((2, 2, 2, 1), np.float32) for i in part.outputs}
    found.add(part, values, values, 0, merged=False)
    ends = {i: values[i] for i in part.ends}
    ours = {i: v + (i == part.ends[1]) for i, v in ends.items()}
    found.add(part, ours, ends, 50, merged=True)
    (reason,) = oracle_reasons(found.report(100, 2))
    assert "8 values differ from LCE's interpreter when operators are merged" in reason
    assert "first at (50, 0, 0, 0): 1.0 instead of 0.0" in reason


def test_differing_is_by_bits_but_for_nan_and_the_sign_of_zero() -> None:
    one = np.float32(1)
    ours = np.array([0.0, np.nan, one, np.inf, np.nan], np.float32)
    theirs = np.array([-0.0, np.nan, np.nextafter(one, np.float32(2)), np.inf, 1], np.float32)
    assert differing(ours, theirs).tolist() == [False, False, True, False, True]
    assert differing(np.array([3, -1]), np.array([3, 1])).tolist() == [False, True]


def test_lces_own_interpreter_is_not_compared_with_itself(
    resnet: Any, resnet_file: Conversion, images: LabelledImages
) -> None:
    report = verify(resnet, resnet_file.data, images[:4], seed=SEED, runtime="lce")
    assert report.passed, report.reasons
    assert report.oracle is None
    assert report.runtime is not None
    assert report.runtime.startswith("LCE ")
