"""Broken files are refused before native code reads them, in one line."""

import contextlib

import flatbuffers
import lce_delegate
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def content(model_path):
    return model_path.read_bytes()


def altered(content, change):
    """The file after ``change`` of its object form."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    change(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def graph(model):
    return model.subgraphs[0]


def bconv(model):
    """The first binary convolution."""
    names = [code.customCode for code in model.operatorCodes]
    return next(op for op in graph(model).operators if names[op.opcodeIndex] == b"LceBconv2d")


def activation(model):
    """The tensor between the first two operators."""
    return graph(model).tensors[graph(model).operators[0].outputs[0]]


def constant(model):
    """A float tensor with data."""
    return next(t for t in graph(model).tensors if model.buffers[t.buffer].data is not None)


def swap_operators(model):
    operators = graph(model).operators
    operators[0], operators[1] = operators[1], operators[0]


def share_output(model):
    operators = graph(model).operators
    operators[1].outputs = operators[0].outputs


def external_buffer(model):
    model.buffers[-1].offset, model.buffers[-1].size = 8, 8


def signature(model):
    entry = schema.SignatureDefT()
    entry.subgraphIndex = 5
    model.signatureDefs = [entry]


def sparse(model):
    constant(model).sparsity = schema.SparsityParametersT()


def cut_data(model):
    buffer = model.buffers[constant(model).buffer]
    buffer.data = np.asarray(buffer.data)[:-4]


CHANGES = [
    (lambda m: setattr(m, "version", 4), "schema version 4, accepted: 3"),
    (lambda m: setattr(m, "subgraphs", []), "no subgraphs"),
    (lambda m: setattr(bconv(m), "opcodeIndex", 99), "has code 99 of"),
    (lambda m: setattr(bconv(m), "inputs", [0, 10**6, 2, 3, 4]), "reads tensor 1000000 of"),
    (lambda m: setattr(bconv(m), "inputs", [-2]), "reads tensor -2 of"),
    (lambda m: setattr(bconv(m), "outputs", [-1]), "writes tensor -1 of"),
    (lambda m: setattr(bconv(m), "intermediates", [10**6]), "intermediate tensor 1000000"),
    (lambda m: setattr(graph(m), "inputs", [-1]), "an input is tensor -1 of"),
    (lambda m: setattr(graph(m), "outputs", [10**6]), "an output is tensor 1000000 of"),
    (lambda m: setattr(activation(m), "buffer", 10**6), "has buffer 1000000 of"),
    (lambda m: setattr(activation(m), "type", 99), "unknown type 99"),
    (lambda m: setattr(activation(m), "shape", [-5]), "bad shape"),
    (lambda m: setattr(activation(m), "shape", [2**31 - 1] * 4), "more than 2147483647 bytes"),
    (lambda m: setattr(constant(m), "shape", [3]), "bytes of data, expected 12"),
    (lambda m: setattr(m.operatorCodes[-1], "builtinCode", -7), None),
    (lambda m: setattr(m.metadata[0], "buffer", 10**6), "metadata name buffer 1000000 of"),
    (cut_data, "bytes of data, expected"),
    (swap_operators, "which nothing has written"),
    (share_output, "which has a value"),
    (signature, "names subgraph 5 of 1"),
    (external_buffer, "it uses data outside the flatbuffer"),
    (sparse, "it uses sparse tensors"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_what_does_not_fit_together_is_refused(content, change, message):
    lce_delegate.verify(altered(content, lambda model: None))
    broken = altered(content, change)
    if message is None:  # the other code field decides: still a good file
        lce_delegate.verify(broken)
        return
    with pytest.raises(lce_delegate.UsageError, match=message) as caught:
        lce_delegate.verify(broken)
    assert "\n" not in str(caught.value)


def test_every_shorter_file_is_refused(content):
    for length in [*range(0, 2000, 7), *range(2000, len(content) - 3, 997)]:
        with pytest.raises(lce_delegate.UsageError):
            lce_delegate.verify(content[:length])


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_damage_ends_in_a_usage_error_or_nothing(content, data):
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(lce_delegate.UsageError):
        lce_delegate.verify(bytes(damaged))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_noise_behind_the_identifier_is_refused(noise):
    with pytest.raises(lce_delegate.UsageError):
        lce_delegate.verify(b"\x08\0\0\0TFL3" + noise)


def test_shared_tables_do_not_keep_the_check_busy():
    """Many entries that all lead to one subgraph with as many tensors that are all one.

    Without its bound, the check would take hours.
    """
    builder = flatbuffers.Builder(0)
    shape = builder.CreateNumpyVector(np.ones(1000, np.int32))
    schema.TensorStart(builder)
    schema.TensorAddShape(builder, shape)
    tensor = schema.TensorEnd(builder)

    def repeat(start, entry, count):
        start(builder, count)
        for _ in range(count):
            builder.PrependUOffsetTRelative(entry)
        return builder.EndVector()

    tensors = repeat(schema.SubGraphStartTensorsVector, tensor, 2000)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    subgraph = schema.SubGraphEnd(builder)
    subgraphs = repeat(schema.ModelStartSubgraphsVector, subgraph, 2000)
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(lce_delegate.UsageError, match="more tables and vectors than any network"):
        lce_delegate.verify(bytes(builder.Output()))


@pytest.mark.parametrize("content", ["text", None, bytearray(b"TFL3"), 5])
def test_content_must_be_bytes(content):
    with pytest.raises(lce_delegate.UsageError, match="content must be bytes, got an object of"):
        lce_delegate.verify(content=content)
