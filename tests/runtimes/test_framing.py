"""The pipe protocol."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from converters.runtimes.framing import ProtocolError, read_message, write_message

ARRAYS = arrays_of.arrays(
    st.sampled_from([np.float32, np.int8, np.int32, np.bool_]),
    arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


def message(header: dict, arrays: list[np.ndarray]) -> bytes:
    stream = io.BytesIO()
    write_message(stream, header, arrays)
    return stream.getvalue()


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.lists(ARRAYS, max_size=3))
def test_round_trip_is_bit_exact(header: dict, arrays: list[np.ndarray]) -> None:
    got, back = read_message(io.BytesIO(message(header, arrays)))
    assert got == {**header, "arrays": len(arrays)}
    assert [a.dtype for a in back] == [a.dtype for a in arrays]
    assert [a.shape for a in back] == [a.shape for a in arrays]
    assert [a.tobytes() for a in back] == [a.tobytes() for a in arrays]


@given(st.lists(ARRAYS, max_size=2), st.data())
def test_a_cut_message_is_an_error(arrays: list[np.ndarray], data: st.DataObject) -> None:
    whole = message({"ok": True}, arrays)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(whole[:cut]))
    with pytest.raises(EOFError):
        read_message(io.BytesIO(b""))


@given(st.binary(min_size=1, max_size=200))
def test_random_bytes_never_do_anything_else(content: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(content))


def test_pickles_are_refused_both_ways() -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_message(io.BytesIO(), {}, [np.array([{}], object)])
    npy = io.BytesIO()
    np.save(npy, np.array([{}], object), allow_pickle=True)
    header = b'{"arrays": 1}'
    stream = struct.pack("<I", len(header)) + header
    stream += struct.pack("<Q", npy.tell()) + npy.getvalue()
    with pytest.raises(ProtocolError, match="allow_pickle=False"):
        read_message(io.BytesIO(stream))


def test_a_huge_header_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="header of 4294967295 bytes"):
        read_message(io.BytesIO(b"\xff" * 8))
