"""Bounds check of a TFLite flatbuffer, before any byte of it is trusted.

The C++ runtimes follow offsets without looking, and Python's flatbuffers package has no
verifier. ``check_flatbuffer`` visits every table, vector and string the schema can reach and
proves that it lies inside the file. What the schema allows but this project never meets
(sparse tensors, StableHLO options, data outside the flatbuffer) is refused.

References:
    https://flatbuffers.dev/internals (binary format); ``schema.fbs`` of TFLite, version 3.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from irnet_keras.errors import UsageError

MAX_FILE_BYTES = 2**31 - 1  # flatbuffers' own limit
# Fields, entries of table vectors and every 8 bytes of other vectors but buffers. ResNet-20 takes
# some 4,500. Bounds the time of this check and of reading the file after it.
MAX_STEPS = 2_000_000
BYTES_PER_STEP = 8


@dataclass(frozen=True)
class Scalar:
    """A number stored in the table itself; ``size`` bytes."""

    size: int


@dataclass(frozen=True)
class Vector:
    """Vector of ``size``-byte numbers (a string is a vector of bytes).

    ``copied`` is whether the reader copies it; a buffer's data it only points at.
    """

    size: int
    copied: bool = True


@dataclass(frozen=True)
class Table:
    """Offset to a table of this layout."""

    layout: str


@dataclass(frozen=True)
class Tables:
    """Vector of offsets to tables of this layout."""

    layout: str


@dataclass(frozen=True)
class Options:
    """Union of op options; its type is the byte in slot ``type_slot``."""

    type_slot: int


@dataclass(frozen=True)
class Refused:
    """A field this project does not read; a file that sets it is refused."""

    what: str


Field = Scalar | Vector | Table | Tables | Options | Refused
BYTE, INT, LONG = Scalar(1), Scalar(4), Scalar(8)
BYTES, INTS, LONGS = Vector(1), Vector(4), Vector(8)
DATA = Vector(1, copied=False)

# Slot by slot as in schema.fbs.
LAYOUTS: Mapping[str, tuple[Field, ...]] = {
    "Model": (
        INT, Tables("OperatorCode"), Tables("SubGraph"), BYTES, Tables("Buffer"), INTS,
        Tables("Metadata"), Tables("SignatureDef"), Refused("external buffers"),
        Refused("external buffers"),
    ),
    "OperatorCode": (BYTE, BYTES, INT, INT),
    "SubGraph": (Tables("Tensor"), INTS, INTS, Tables("Operator"), BYTES, INT),
    "Tensor": (
        INTS, BYTE, INT, BYTES, Table("Quantization"), BYTE, Refused("sparse tensors"), INTS,
        BYTE, Refused("variant tensors"), Refused("external buffers"),
    ),
    "Quantization": (
        INTS, INTS, INTS, LONGS, BYTE, Refused("custom quantization"), INT,
    ),
    "Operator": (
        INT, INTS, INTS, BYTE, Options(3), BYTES, BYTE, BYTES, INTS,
        Refused("options outside the flatbuffer"), Refused("options outside the flatbuffer"),
        BYTE, Refused("StableHLO operators"), INT,
    ),
    "Buffer": (
        DATA, Refused("data outside the flatbuffer"), Refused("data outside the flatbuffer"),
    ),
    "Metadata": (BYTES, INT),
    "SignatureDef": (Tables("TensorMap"), Tables("TensorMap"), BYTES, BYTE, INT),
    "TensorMap": (BYTES, INT),
    "ReshapeOptions": (INTS,),
    "SqueezeOptions": (INTS,),
}  # fmt: skip

_VECTOR_OPTIONS = {
    schema.BuiltinOptions.ReshapeOptions: "ReshapeOptions",
    schema.BuiltinOptions.SqueezeOptions: "SqueezeOptions",
}
_REFUSED_OPTIONS = {
    schema.BuiltinOptions.ConcatEmbeddingsOptions,
    schema.BuiltinOptions.BucketizeOptions,
    schema.BuiltinOptions.VarHandleOptions,
}


def check_flatbuffer(data: bytes) -> None:
    """Check the identifier and every reachable offset, size and vtable.

    Raises:
        UsageError: not a TFLite flatbuffer, cut off, damaged, or using a refused feature.
    """
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise UsageError(
            f"not a .tflite file: {len(data)} bytes, no TFL3 identifier at byte 4"
            if data
            else "not a .tflite file: it is empty"
        )
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"not a .tflite file: {len(data)} bytes, at most {MAX_FILE_BYTES}")
    _Checker(data).table(_Checker(data).follow(0), "Model")


class _Checker:
    """Walks the layouts: depth is bounded by the schema, work by ``MAX_STEPS``.

    What is shared is walked as often as it is reached, as the reader does. So a small file in
    which everything points at the same long vectors runs out of steps here.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps = 0

    def _fail(self, what: str, position: int) -> UsageError:
        return UsageError(f"damaged .tflite file: {what} at byte {position} of {len(self._data)}")

    def _spend(self, steps: int, position: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise self._fail("more tables and vectors than any network has", position)

    def _read(self, code: str, position: int) -> int:
        size = struct.calcsize(code)
        if position < 0 or position + size > len(self._data):
            raise self._fail("offset outside the file", position)
        return int(struct.unpack_from(code, self._data, position)[0])

    def follow(self, position: int) -> int:
        """Target of the forward offset stored at ``position``."""
        offset = self._read("<I", position)
        target = position + offset
        if offset == 0 or target + 4 > len(self._data):
            raise self._fail("offset outside the file", position)
        return target

    def _vector(self, position: int, size: int) -> int:
        """Check the vector at ``position``; its length."""
        length = self._read("<I", position)
        if position + 4 + length * size > len(self._data):
            raise self._fail(f"vector of {length} entries outside the file", position)
        return length

    def table(self, position: int, layout: str | None) -> None:
        """Check a table and everything below it; ``layout`` None: numbers only."""
        vtable = position - self._read("<i", position)
        vtable_size = self._read("<H", vtable)
        table_size = self._read("<H", vtable + 2)
        if vtable_size < 4 or vtable_size % 2 or vtable + vtable_size > len(self._data):
            raise self._fail("bad vtable", vtable)
        if table_size < 4 or position + table_size > len(self._data):
            raise self._fail("table outside the file", position)
        self._spend(1 + vtable_size // 2, position)
        fields = LAYOUTS[layout] if layout else ()
        offsets = [
            self._read("<H", vtable + 4 + 2 * slot) for slot in range((vtable_size - 4) // 2)
        ]
        for slot, offset in enumerate(offsets):
            if offset == 0:
                continue
            known = slot < len(fields)
            field = fields[slot] if known else Scalar(1)
            size = field.size if isinstance(field, Scalar) else 4
            if offset < 4 or offset + size > table_size:
                raise self._fail("field outside its table", position)
            if known:
                self._field(field, position, offset, offsets)

    def _field(self, field: Field, table: int, offset: int, offsets: list[int]) -> None:
        position = table + offset
        if isinstance(field, Vector):
            vector = self.follow(position)
            length = self._vector(vector, field.size)
            if field.copied:
                self._spend(length * field.size // BYTES_PER_STEP, vector)
        elif isinstance(field, Table):
            self.table(self.follow(position), field.layout)
        elif isinstance(field, Tables):
            vector = self.follow(position)
            length = self._vector(vector, 4)
            self._spend(length, vector)
            for index in range(length):
                self.table(self.follow(vector + 4 + 4 * index), field.layout)
        elif isinstance(field, Options):
            kind = offsets[field.type_slot]
            union = self._read("<B", table + kind) if kind else 0
            if union in _REFUSED_OPTIONS:
                raise UsageError(f"unsupported .tflite file: options of kind {union}")
            self.table(self.follow(position), _VECTOR_OPTIONS.get(union))
        elif isinstance(field, Refused):
            raise UsageError(f"unsupported .tflite file: it uses {field.what}")
