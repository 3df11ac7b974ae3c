"""Messages between a process and its interpreter child: a JSON header, then NumPy arrays.

A message is the header's length (4 bytes, little-endian), the header (UTF-8 JSON, with the
number of arrays under ``"arrays"``), and for each array its length (8 bytes) and a ``.npy``
image. Nothing is ever unpickled: what comes from a process that runs an untrusted model can
only become numbers and strings.
"""

import io
import json
import struct
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 31


class ProtocolError(Exception):
    """The other side closed the pipe inside a message, or sent something else."""


def write_message(
    stream: IO[bytes], header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()
) -> None:
    """Send one message and flush."""
    text = json.dumps({**header, "arrays": len(arrays)}).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for array in arrays:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        stream.write(struct.pack("<Q", buffer.tell()))
        stream.write(buffer.getbuffer())
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Receive one message.

    Raises:
        EOFError: the stream ended before a message began.
        ProtocolError: it ended inside one, or the content is not a message.
    """
    first = stream.read(4)
    if not first:
        raise EOFError
    try:
        (size,) = struct.unpack("<I", first)
        if size > MAX_HEADER_BYTES:
            raise ProtocolError(f"header of {size} bytes")
        header = json.loads(_exactly(stream, size))
        arrays = [_array(stream) for _ in range(header["arrays"])]
    except (struct.error, ValueError, KeyError, TypeError, EOFError) as error:
        raise ProtocolError(str(error)) from error
    return header, arrays


def _array(stream: IO[bytes]) -> NDArray[Any]:
    (size,) = struct.unpack("<Q", _exactly(stream, 8))
    if size > MAX_ARRAY_BYTES:
        raise ProtocolError(f"array of {size} bytes")
    array = np.load(io.BytesIO(_exactly(stream, size)), allow_pickle=False)
    if not isinstance(array, np.ndarray):  # np.load also reads .npz
        raise ProtocolError("not a .npy image")
    return array


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ProtocolError("pipe closed inside a message")
    return data
