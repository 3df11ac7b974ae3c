"""Check a ``.tflite`` file before native code reads it.

The runtimes follow the file's offsets and indices without looking. ``verify`` proves that every
table, vector and string that they can reach lies inside the file, that every index exists, that
constant data has its tensor's size, and that operators read only what was written before.

References:
    https://flatbuffers.dev/internals (binary format); ``schema.fbs`` of TFLite, version 3.
"""

import struct
from typing import Any, Optional

import numpy as np

from lce_delegate._errors import UsageError

MAX_FILE_BYTES = 2**31 - 1  # flatbuffers' own limit, and TFLite's for one tensor
# Tables, fields and 8-byte pieces of vectors that are looked at; ResNet-20 takes about 4,000.
# Offsets may be shared, so a small file could otherwise keep the check busy for hours.
MAX_STEPS = 2_000_000

# A table is the list of its fields: a number is that many bytes stored in place; "i4", "u1" ..
# a vector of such numbers; "s" a string; "+" or "*" and a name one table or a vector of them;
# "?" the table of an operator's options; "!" a feature that is refused where a file uses it.
LAYOUTS: dict[str, list[Any]] = {
    "Model": [4, "*OperatorCode", "*SubGraph", "s", "*Buffer", "i4", "*Metadata", "*Signature",
              "!external buffers", "!external buffers"],
    "OperatorCode": [1, "s", 4, 4],
    "SubGraph": ["*Tensor", "i4", "i4", "*Operator", "s", 4],
    "Tensor": ["i4", 1, 4, "s", "+Quantization", 1, "!sparse tensors", "i4", 1,
               "!variant tensors", "!external buffers"],
    "Quantization": ["f4", "f4", "f4", "i8", 1, "!custom quantization", 4],
    "Operator": [4, "i4", "i4", 1, "?", "u1", 1, "u1", "i4", "!options outside the flatbuffer",
                 "!options outside the flatbuffer", 1, "!StableHLO operators", 4],
    "Buffer": ["u1", "!data outside the flatbuffer", "!data outside the flatbuffer"],
    "Metadata": ["s", 4],
    "Signature": ["*TensorMap", "*TensorMap", "s", "s", 4],
    "TensorMap": ["s", 4],
    "Reshape": ["i4"],
    "Squeeze": ["i4"],
    "FullyConnected": [1, 1, 1, 1, 1, "u1"],
    "ConcatEmbeddings": [4, "!embeddings", "!embeddings"],
    "VarHandle": ["!resource variables", "!resource variables"],
    "Bucketize": ["!buckets"],
}  # fmt: skip
# The options that hold more than numbers, by the number of their kind.
OPTIONS = {3: "ConcatEmbeddings", 8: "FullyConnected", 17: "Reshape", 30: "Squeeze",
           111: "VarHandle", 115: "Bucketize"}  # fmt: skip
CUSTOM = 32  # builtin code of operators that have a name instead
# Bits of an element by type number; missing: text, resources, variants.
BITS = {0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 8: 64, 9: 8, 10: 64, 11: 128, 12: 64,
        15: 32, 16: 16, 17: 4, 18: 16, 19: 2, 20: 4, 21: 8, 22: 8}  # fmt: skip
TYPES = 23


def verify(content: bytes) -> None:
    """Check the content of a file.

    Args:
        content: the whole file.

    Raises:
        UsageError: not bytes, not a TFLite flatbuffer, cut off, damaged, or using a feature that
            this check does not cover; one line that says which.
    """
    if not isinstance(content, bytes):
        raise UsageError(f"content must be bytes, got an object of type {type(content).__name__}")
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise UsageError(
            f"not a .tflite file: {len(content)} bytes, "
            + ("no TFL3 identifier at byte 4" if content else "it is empty")
        )
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(f"not a .tflite file: {len(content)} bytes, at most {MAX_FILE_BYTES}")
    walk = _Walk(content)
    model = walk.table(walk.follow(0), "Model")
    if model[0] != 3:
        raise UsageError(f"unsupported .tflite file: schema version {model[0]}, accepted: 3")
    codes, subgraphs, buffers = model[1], model[2], model[4]
    if not subgraphs or not buffers:
        raise _damaged("it has no subgraphs or no buffers")
    for code in codes or []:
        builtin = max(code[3] or 0, code[0] or 0)  # above 127 only the newer field is used
        if builtin < 0 or (builtin == CUSTOM and not code[1]):
            raise _damaged(f"operator code {builtin} without a name")
    for number, subgraph in enumerate(subgraphs):
        _subgraph(f"subgraph {number}", subgraph, len(codes or []), buffers)
    for entry in model[6] or []:
        _indices("metadata name buffer", [entry[1] or 0], 0, len(buffers))
    for signature in model[7] or []:
        number = signature[4] or 0
        _indices("a signature names subgraph", [number], 0, len(subgraphs))
        named = [entry[1] or 0 for half in signature[:2] for entry in half or []]
        _indices("a signature names tensor", named, 0, len(subgraphs[number][0] or []))


def _damaged(what: str) -> UsageError:
    return UsageError(f"damaged .tflite file: {what}")


class _Walk:
    """Reads tables into lists of their fields; None where a field is not set."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps = 0

    def _fail(self, what: str, position: int) -> UsageError:
        return _damaged(f"{what} at byte {position} of {len(self._data)}")

    def _spend(self, steps: int, position: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise self._fail("more tables and vectors than any network has", position)

    def _read(self, code: str, position: int) -> int:
        size = struct.calcsize(code)
        if position < 0 or position + size > len(self._data):
            raise self._fail("offset outside the file", position)
        if position % size:
            raise self._fail("unaligned number", position)
        return int(struct.unpack_from(code, self._data, position)[0])

    def follow(self, position: int) -> int:
        """Target of the offset stored at ``position``."""
        offset = self._read("<I", position)
        if offset == 0 or position + offset + 4 > len(self._data):
            raise self._fail("offset outside the file", position)
        return position + offset

    def table(self, position: int, layout: Optional[str]) -> list[Any]:
        """Fields of a table; ``layout`` None: only numbers, which are not returned."""
        vtable = position - self._read("<i", position)
        vtable_bytes, table_bytes = self._read("<H", vtable), self._read("<H", vtable + 2)
        if vtable_bytes < 4 or vtable_bytes % 2 or vtable + vtable_bytes > len(self._data):
            raise self._fail("bad table description", vtable)
        if table_bytes < 4 or position + table_bytes > len(self._data):
            raise self._fail("table outside the file", position)
        self._spend(1 + vtable_bytes // 2, position)
        offsets = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", self._data, vtable + 4)
        kinds = LAYOUTS[layout] if layout else []
        fields: list[Any] = [None] * len(kinds)
        for slot, offset in enumerate(offsets):
            if offset == 0:
                continue
            known = slot < len(kinds)
            # Numbers of unknown options have up to 8 bytes. They may be fewer, so they are only
            # required to lie in the file: no exporter writes options last.
            size = (kinds[slot] if isinstance(kinds[slot], int) else 4) if known else 1
            if offset < 4 or offset + size > table_bytes:
                raise self._fail("field outside its table", position)
            if not known:
                if position + offset + 8 > len(self._data):
                    raise self._fail("field outside the file", position)
            elif kinds[slot] == "?":
                # The kind is a byte in the slot before, which has been read by now.
                options = OPTIONS.get(fields[slot - 1] or 0)
                fields[slot] = self.table(self.follow(position + offset), options)
            else:
                fields[slot] = self._field(kinds[slot], position + offset)
        return fields

    def _field(self, kind: Any, position: int) -> Any:
        if isinstance(kind, int):
            return self._read("<b" if kind == 1 else "<i", position)
        if kind[0] == "!":
            raise UsageError(f"unsupported .tflite file: it uses {kind[1:]}")
        target = self.follow(position)
        if kind[0] == "+":
            return self.table(target, kind[1:])
        length = self._read("<I", target)
        size = {"*": 4, "s": 1}.get(kind[0]) or int(kind[1])
        end = target + 4 + length * size
        if end + (kind == "s") > len(self._data):
            raise self._fail(f"vector of {length} entries outside the file", target)
        if (target + 4) % size:
            raise self._fail("unaligned vector", target)
        if kind != "u1":  # data is only pointed at
            self._spend(length * size // 8, target)
        if kind[0] == "*":
            self._spend(length, target)
            entries = range(target + 4, end, 4)
            return [self.table(self.follow(entry), kind[1:]) for entry in entries]
        if kind == "s":
            if self._data[end]:
                raise self._fail("text without an end", target)
            return self._data[target + 4 : end]
        return np.frombuffer(self._data, f"<{kind}", length, target + 4)


def _subgraph(where: str, subgraph: list[Any], num_codes: int, buffers: list[Any]) -> None:
    tensors, operators = subgraph[0] or [], subgraph[3] or []
    inputs = set(_indices(f"{where}: an input is tensor", subgraph[1], 0, len(tensors)))
    ready, fixed = set(inputs), set(inputs)  # may be read; may not be written
    for index, tensor in enumerate(tensors):
        data = _tensor(f"{where}: tensor {index}", tensor, buffers)
        if data is not None and len(data):
            fixed.add(index)
        elif tensor[5] or (tensor[1] or 0) not in BITS:
            pass
        elif tensor[0] is None or 0 not in tensor[0]:
            continue
        ready.add(index)
    for index, operator in enumerate(operators):
        name = f"{where}: operator {index}"
        _indices(f"{name} has code", [operator[0] or 0], 0, num_codes)
        sources = _indices(f"{name} reads tensor", operator[1], -1, len(tensors))
        targets = _indices(f"{name} writes tensor", operator[2], 0, len(tensors))
        _indices(f"{name} has the intermediate tensor", operator[8], 0, len(tensors))
        for source in sources:
            if source != -1 and source not in ready:
                raise _damaged(f"{name} reads tensor {source}, which nothing has written")
        for target in targets:
            if target in fixed:
                raise _damaged(f"{name} writes tensor {target}, which has a value")
            fixed.add(target)
        ready.update(targets)
    for output in _indices(f"{where}: an output is tensor", subgraph[2], 0, len(tensors)):
        if output not in ready:
            raise _damaged(f"{where}: output tensor {output} is never written")


def _indices(what: str, vector: Any, lowest: int, count: int) -> list[int]:
    indices = [] if vector is None else [int(i) for i in vector]
    for index in indices:
        if not lowest <= index < count:
            raise _damaged(f"{what} {index} of {count}")
    return indices


def _tensor(where: str, tensor: list[Any], buffers: list[Any]) -> Any:
    """Check one tensor; returns its constant data, an array of bytes or None."""
    kind, buffer = tensor[1] or 0, tensor[2] or 0
    if not 0 <= kind < TYPES:
        raise _damaged(f"{where} has unknown type {kind}")
    _indices(f"{where} has buffer", [buffer], 0, len(buffers))
    data = buffers[buffer][0]
    shape = [] if tensor[0] is None else [int(n) for n in tensor[0]]
    signature = [] if tensor[7] is None else [int(n) for n in tensor[7]]
    if min(shape + signature, default=0) < -1 or (signature and len(signature) != len(shape)):
        raise _damaged(f"{where} has a bad shape or shape signature")
    quantization = tensor[4]
    if quantization and quantization[2] is not None:
        scales, zeros = len(quantization[2]), quantization[3]
        if zeros is not None and len(zeros) not in (0, scales):
            raise _damaged(f"{where} has {scales} scales, {len(zeros)} zero points")
    if kind not in BITS:
        return data
    bits = BITS[kind]
    for n in shape:
        bits *= abs(n)  # an unknown dimension counts as 1
        if bits > 8 * MAX_FILE_BYTES:
            raise _damaged(f"{where} would take more than {MAX_FILE_BYTES} bytes")
    size = (bits + 7) // 8
    if data is not None and len(data) and (-1 in shape or len(data) != size):
        raise _damaged(f"{where} of shape {shape} has {len(data)} bytes of data, expected {size}")
    return data
