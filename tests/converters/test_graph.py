"""Reading, refusing and editing .tflite files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.graph import (
    BCONV,
    QUANTIZE,
    layer_name,
    pack_bits,
    packed_words,
    read_graph,
    unpack_signs,
    verify_file,
    with_outputs,
)
from converters.graph.flatbuffer_check import check_flatbuffer
from converters.lce import Conversion
from irnet_keras.errors import UsageError


def test_ops_options_and_tensors_of_a_real_file(resnet_file: Conversion) -> None:
    graph = read_graph(resnet_file.data)
    assert len(graph.ops_named(BCONV)) == len(graph.ops_named(QUANTIZE)) == 18
    first = graph.ops_named(BCONV)[0]
    assert first.options is not None
    assert (first.options.channels_in, first.options.stride_height) == (16, 1)
    assert (first.options.padding, first.options.pad_values) == (0, 0)
    kernel = graph.tensors[first.inputs[1]]
    assert kernel.shape == (16, 3, 3, 1)
    assert kernel.data is not None
    assert not kernel.data.flags.writeable
    assert graph.tensors[graph.inputs[0]].shape == (1, 32, 32, 3)
    producer = graph.producer(first.inputs[0])
    assert producer is not None
    assert producer.name == QUANTIZE


def test_data_offset_is_where_the_constant_is(resnet_file: Conversion) -> None:
    graph = read_graph(resnet_file.data)
    kernel = graph.tensors[graph.ops_named(BCONV)[3].inputs[1]]
    assert kernel.data is not None
    assert kernel.data_offset is not None
    raw = resnet_file.data[kernel.data_offset : kernel.data_offset + kernel.data.nbytes]
    assert raw == kernel.data.tobytes()


def test_with_outputs_changes_outputs_and_nothing_else(resnet_file: Conversion) -> None:
    graph = read_graph(resnet_file.data)
    edited = read_graph(with_outputs(graph, [40, 7, 92]))
    assert edited.outputs == (40, 7, 92)
    assert edited.ops == graph.ops
    changed = [a != b for a, b in zip(edited.data, resnet_file.data, strict=False)]
    assert sum(changed) <= 4
    with pytest.raises(IndexError):
        with_outputs(graph, [10_000])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"12345678", "no TFL3 identifier"),
        (b"\x08\0\0\0TFL3", "damaged"),
        (b"\xff\xff\xff\xffTFL3" + bytes(100), "damaged"),
        (b"\0" * 4 + b"TFL3" + bytes(100), "damaged"),
        (np.random.default_rng(1).bytes(5000), "no TFL3 identifier"),
    ],
)
def test_what_is_no_tflite_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        verify_file(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        verify_file(tmp_path / "nothing.tflite")
    with pytest.raises(UsageError, match="directory"):
        verify_file(tmp_path)


def test_every_truncation_is_refused(resnet_file: Conversion) -> None:
    data = resnet_file.data
    for size in [*range(0, 200), *range(200, len(data) - 1, 997)]:
        with pytest.raises(UsageError):
            read_graph(data[:size])


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused_never_a_crash(
    resnet_file: Conversion, data: st.DataObject
) -> None:
    original = resnet_file.data
    # Weights fill the middle; the structure is at both ends, so draw from there more often.
    near_end = st.integers(len(original) - 9000, len(original) - 1)
    position = st.one_of(st.integers(0, len(original) - 1), near_end, st.integers(0, 200))
    patches = st.dictionaries(position, st.integers(0, 255), min_size=1, max_size=20)
    mutated = bytearray(original)
    for where, value in data.draw(patches).items():
        mutated[where] = value
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(original))))
    try:
        graph = read_graph(bytes(mutated[:cut]))
    except UsageError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert all(i < len(graph.tensors) for op in graph.ops for i in (*op.inputs, *op.outputs))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(channels=st.integers(1, 100), seed=st.integers(0, 2**32 - 1))
def test_packing_round_trip_is_lsb_first_with_zero_padding(channels: int, seed: int) -> None:
    negative = np.random.default_rng(seed).random((2, 3, channels)) < 0.5
    words = pack_bits(negative)
    assert words.shape == (2, 3, packed_words(channels))
    assert words.dtype == np.int32
    np.testing.assert_array_equal(unpack_signs(words, channels) < 0, negative)
    np.testing.assert_array_equal(pack_bits(np.asfortranarray(negative)), words)
    for channel in range(words.shape[-1] * 32):
        bits = (words[..., channel // 32] >> (channel % 32)) & 1
        expected: Any = negative[..., channel] if channel < channels else 0
        np.testing.assert_array_equal(bits, expected)


def tables_vector(builder: flatbuffers.Builder, tables: list[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())


def shared_tensors(builder: flatbuffers.Builder, count: int) -> int:
    """Subgraphs that all have the same ``count`` tensors."""
    builder.StartObject(3)
    tensors = tables_vector(builder, [builder.EndObject()] * count)
    subgraphs = []
    for _ in range(count):
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, tensors, 0)
        subgraphs.append(builder.EndObject())
    return tables_vector(builder, subgraphs)


def shared_inputs(builder: flatbuffers.Builder, count: int) -> int:
    """One operator, ``count`` times, with ``count`` inputs."""
    inputs = builder.CreateNumpyVector(np.zeros(count, np.int32))
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(1, inputs, 0)
    operators = tables_vector(builder, [builder.EndObject()] * count)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(3, operators, 0)
    return tables_vector(builder, [builder.EndObject()])


def shared_names(builder: flatbuffers.Builder, count: int) -> int:
    """Tensors that share one name of ``8 * count`` bytes."""
    name = builder.CreateString("x" * 8 * count)
    tensors = []
    for _ in range(count):
        builder.StartObject(4)
        builder.PrependUOffsetTRelativeSlot(3, name, 0)
        tensors.append(builder.EndObject())
    vector = tables_vector(builder, tensors)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, vector, 0)
    return tables_vector(builder, [builder.EndObject()])


def long_vtables(builder: flatbuffers.Builder, count: int) -> int:
    """Subgraphs that share a vtable of ``count`` fields."""
    subgraphs = []
    for _ in range(count):
        builder.StartObject(count)
        builder.PrependInt32Slot(count - 1, 1, 0)
        subgraphs.append(builder.EndObject())
    return tables_vector(builder, subgraphs)


@pytest.mark.parametrize("shared", [shared_tensors, shared_inputs, shared_names, long_vtables])
def test_a_small_file_that_means_quadratic_work_is_refused(
    shared: Callable[[flatbuffers.Builder, int], int],
) -> None:
    def file(count: int) -> bytes:
        builder = flatbuffers.Builder()
        subgraphs = shared(builder, count)
        builder.StartObject(3)
        builder.PrependUOffsetTRelativeSlot(2, subgraphs, 0)
        builder.Finish(builder.EndObject(), b"TFL3")
        return bytes(builder.Output())

    check_flatbuffer(file(20))  # nothing else is wrong with it
    many = file(2100)
    assert len(many) < 60_000
    with pytest.raises(UsageError, match="more tables and vectors than any network has"):
        check_flatbuffer(many)


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("vgg_small/stage1b_pool/MaxPool", "stage1b_pool"),
        ("w1a1/stage1a_hardtanh/clip_by_value;;vgg", "stage1a_hardtanh"),
        ("model/sub/stem_bn/FusedBatchNormV3;model/stem", "stem_bn"),
        (";;model/flatten/Reshape", "flatten"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:0"),
        ("", ""),
    ],
)
def test_layer_of_a_tensor_name(tensor: str, layer: str) -> None:
    assert layer_name(tensor) == layer
