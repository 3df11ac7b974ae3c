"""Where the numbers of a ``.tflite`` file lie, by what they mean."""

import struct
from collections import defaultdict
from dataclasses import dataclass, field

from ai_edge_litert import schema_py_generated as schema

from converters.graph.flatbuffer_check import LAYOUTS, Options, Scalar, Table, Tables, Vector

_NAMES = {
    "SubGraph": ["tensors", "inputs", "outputs", "operators"],
    "Tensor": ["shape", "type", "buffer", "name", "quantization", "variable", "", "signature"],
    "Quantization": ["min", "max", "scale", "zero_point", "details", "", "axis"],
    "Operator": ["code", "inputs", "outputs", "options_type", "options", "custom_options"],
    "OperatorCode": ["deprecated_code", "custom_code", "version", "builtin_code"],
    "Buffer": ["data"],
}
_CODES = {"<b": 1, "<i": 4, "<q": 8}


@dataclass
class Fields:
    """Places in one file.

    Attributes:
        data: the file.
        places: by meaning, ``(position, struct code)`` of every number, e.g. of ``Tensor.shape``.
        structure: positions of all bytes outside of constants.
        constants: positions of small constants' bytes (axes, shapes, sizes).
    """

    data: bytes
    places: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    structure: list[int] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)


def fields_of(data: bytes) -> Fields:
    """Walk a well-formed file."""
    found = Fields(data)
    _table(found, _target(data, 0), "Model")
    weights: set[int] = set()
    model = schema.Model.GetRootAs(data, 0)
    for i in range(model.BuffersLength()):
        length = model.Buffers(i).DataLength()
        if length:
            table = model.Buffers(i)._tab
            start = table.Vector(table.Offset(4))
            if length > 64:
                weights.update(range(start, start + length))
            else:
                found.constants += range(start, start + length)
                for k in range(0, length - 3, 4):
                    found.places["constant"].append((start + k, "<i"))
    found.structure = [i for i in range(len(data)) if i not in weights]
    return found


def _target(data: bytes, position: int) -> int:
    return position + int(struct.unpack_from("<I", data, position)[0])


def _table(found: Fields, position: int, layout: str | None) -> None:
    data = found.data
    vtable = position - struct.unpack_from("<i", data, position)[0]
    size = struct.unpack_from("<H", data, vtable)[0]
    slots = struct.unpack_from(f"<{size // 2 - 2}H", data, vtable + 4)
    kinds = LAYOUTS.get(layout or "", ())
    for slot, offset in enumerate(slots):
        if not offset:
            continue
        place = position + offset
        names = _NAMES.get(layout or "", [])
        name = f"{layout}.{names[slot] if slot < len(names) else slot}"
        kind = kinds[slot] if slot < len(kinds) else None
        if kind is None:  # options: 1 or 4 bytes, nobody knows; both are tried
            found.places["option"] += [(place, "<b"), (place, "<i")]
        elif isinstance(kind, Scalar):
            found.places[name].append((place, {1: "<b", 4: "<i", 8: "<q"}[kind.size]))
        elif isinstance(kind, Vector):
            start = _target(data, place)
            count = struct.unpack_from("<I", data, start)[0]
            found.places["length"].append((start, "<i"))
            if name != "Buffer.data":
                code = {1: "<b", 4: "<i", 8: "<q"}[kind.size]
                for k in range(count):
                    found.places[name].append((start + 4 + k * kind.size, code))
        elif isinstance(kind, Table):
            _table(found, _target(data, place), kind.layout)
        elif isinstance(kind, Tables):
            start = _target(data, place)
            found.places["length"].append((start, "<i"))
            for k in range(struct.unpack_from("<I", data, start)[0]):
                entry = start + 4 + 4 * k
                found.places["offset"].append((entry, "<i"))
                _table(found, _target(data, entry), kind.layout)
        elif isinstance(kind, Options):
            found.places["offset"].append((place, "<i"))
            _table(found, _target(data, place), None)
