"""Damaged and altered files, each a function of seed files and one number."""

import random
import struct
from collections.abc import Callable, Mapping

from ai_edge_litert import schema_py_generated as schema

from converters.untrusted import BUILTIN_RULES
from tests.fuzz.builder import pack, unpack
from tests.fuzz.fields import Fields, fields_of

_LIMITS = {"<b": (-(2**7), 2**7), "<i": (-(2**31), 2**31), "<q": (-(2**63), 2**63)}
_NUMBERS = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 31, 32, 33, 64, 100, 127, 128, 255, 256, 1000, 4096,
    2**15 - 1, 2**15, 2**16, 2**20, 2**24, 2**29, 2**30, 2**31 - 1, -1, -2, -3, -4, -(2**31),
)  # fmt: skip
_FLOATS = (
    0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 1e-20, 1e-9, 1e-6, 2.0**-24, 2.0**-20, 2.0**-15, 2.0**-8,
    1 / 256, 0.5, 2.0, 256.0, 2.0**18, 2.0**20, 1e9, 1e20, 3e38, float("inf"), float("nan"),
)  # fmt: skip
_BUILTINS = [getattr(schema.BuiltinOperator, name) for name in BUILTIN_RULES]
_SAME_OPTIONS = (
    ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "GREATER", "LESS",
     "GREATER_EQUAL", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "PRELU"),
    ("ABS", "NEG", "EXP", "SQUARE", "SQRT", "RSQRT", "LOG", "FLOOR", "ROUND", "ELU", "RELU",
     "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "HARD_SWISH", "LOGISTIC", "TANH", "QUANTIZE",
     "DEQUANTIZE", "GELU", "SIGN", "LEAKY_RELU", "SOFTMAX", "CAST", "SHAPE", "LOGICAL_NOT"),
    ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "ARG_MAX", "ARG_MIN", "REVERSE_V2",
     "EXPAND_DIMS", "TRANSPOSE", "RESHAPE", "SQUEEZE"),
    ("MAX_POOL_2D", "AVERAGE_POOL_2D"), ("CONV_2D", "DEPTHWISE_CONV_2D"),
    ("SELECT", "SELECT_V2"), ("PAD", "PADV2", "MIRROR_PAD"), ("SPLIT", "UNPACK"),
    ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"),
)  # fmt: skip
_GROUP = {name: group for group in _SAME_OPTIONS for name in group}
_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
_SHAPES = ("Tensor.shape", "Tensor.signature")


class Mutator:
    """Makes the ``index``-th file of a run from the run's seed alone."""

    def __init__(self, files: Mapping[str, bytes], seed: int) -> None:
        self._fields = {name: fields_of(data) for name, data in sorted(files.items())}
        self._names = list(self._fields)
        self._seed = seed

    def make(self, index: int) -> tuple[str, bytes]:
        """Name of the file it came from, and its content."""
        rng = random.Random(f"{self._seed} {index}")
        name = rng.choice(self._names)
        origin = self._fields[name]
        if rng.random() < 0.03:
            return name, _objects(rng, origin.data)
        data = bytearray(origin.data)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
            _IN_PLACE[rng.choice(_WEIGHTED)](rng, data, origin)
        if rng.random() < 0.04:
            data = _splice(rng, data, self._fields[rng.choice(self._names)].data)
        return name, bytes(data)


def _bytes(rng: random.Random, data: bytearray, fields: Fields) -> None:
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        place = rng.choice(fields.structure) if rng.random() < 0.9 else rng.randrange(len(data))
        data[place] = rng.choice((rng.randrange(256), data[place] ^ (1 << rng.randrange(8)), 0))


def _word(rng: random.Random, data: bytearray, fields: Fields) -> None:
    place = rng.choice(fields.structure) & ~3
    if place + 4 <= len(data):
        _put(data, place, "<i", _number(rng, struct.unpack_from("<i", data, place)[0]))


def _number(rng: random.Random, old: int) -> int:
    if rng.random() < 0.5:
        return rng.choice(_NUMBERS)
    return rng.choice((old + 1, old - 1, old * 2, old // 2, -old, old + rng.randrange(-9, 10)))


def _put(data: bytearray, place: int, code: str, value: int) -> None:
    low, high = _LIMITS[code]
    struct.pack_into(code, data, place, (value - low) % (high - low) + low)


def _meaning(rng: random.Random, data: bytearray, fields: Fields) -> None:
    """One number of one kind."""
    name = rng.choice([name for name, found in fields.places.items() if found])
    place, code = rng.choice(fields.places[name])
    if name == "Quantization.scale" or (name in ("option", "constant") and rng.random() < 0.1):
        if place + 4 <= len(data):
            struct.pack_into("<f", data, place, rng.choice(_FLOATS))
        return
    if place + _SIZES[code] > len(data):
        return
    old = struct.unpack_from(code, data, place)[0]
    others = fields.places[name]
    if rng.random() < 0.3:  # a value that makes sense there
        other, other_code = rng.choice(others)
        _put(data, place, code, struct.unpack_from(other_code, data, other)[0])
    else:
        _put(data, place, code, _number(rng, old))


_SIZES = {"<b": 1, "<i": 4, "<q": 8}


def _sizes(rng: random.Random, data: bytearray, fields: Fields) -> None:
    """One size everywhere: shapes, signatures and, sometimes, small constants stay coherent."""
    places = [p for name in _SHAPES for p in fields.places[name]]
    if not places:
        return
    old = struct.unpack_from("<i", data, rng.choice(places)[0])[0]
    new = _number(rng, old)
    if rng.random() < 0.5:
        places = places + fields.places["constant"]
    for place, code in places:
        if struct.unpack_from(code, data, place)[0] == old:
            _put(data, place, code, new)


def _types(rng: random.Random, data: bytearray, fields: Fields) -> None:
    """One element type everywhere."""
    places = fields.places["Tensor.type"]
    if places:
        old, new = data[rng.choice(places)[0]], rng.choice((0, 1, 2, 3, 4, 6, 7, 9, 17, 19))
        for place, _ in places:
            if data[place] == old:
                data[place] = new


def _operators(rng: random.Random, data: bytearray, fields: Fields) -> None:
    """Another operator of the same form, or of any."""
    codes = fields.places["OperatorCode.deprecated_code"]
    if not codes:
        return
    place = rng.choice(codes)[0]
    group = _GROUP.get(_NAMES.get(data[place], ""))
    names = group if group and rng.random() < 0.9 else tuple(BUILTIN_RULES)
    value = getattr(schema.BuiltinOperator, rng.choice(names))
    old = data[place]
    if value > 127:
        return
    data[place] = value
    for other, code in fields.places["OperatorCode.builtin_code"]:
        if struct.unpack_from(code, data, other)[0] == old:
            _put(data, other, code, value)
    # old code numbers are options types of the same operators in no order: drop or try one
    for kind, _ in fields.places["Operator.options_type"]:
        if rng.random() < 0.5:
            data[kind] = rng.choice((0, rng.randrange(1, 117)))


def _scales(rng: random.Random, data: bytearray, fields: Fields) -> None:
    """All scales times a power of two, or one of them."""
    places = fields.places["Quantization.scale"]
    factor = 2.0 ** rng.randrange(-30, 31)
    for place, _ in places if rng.random() < 0.5 else places and [rng.choice(places)]:
        value = struct.unpack_from("<f", data, place)[0] * factor
        if abs(value) < 3e38:
            struct.pack_into("<f", data, place, value)


_IN_PLACE: Mapping[str, Callable[[random.Random, bytearray, Fields], None]] = {
    "bytes": _bytes,
    "word": _word,
    "meaning": _meaning,
    "sizes": _sizes,
    "types": _types,
    "operators": _operators,
    "scales": _scales,
}
_WEIGHTED = ("bytes", "word", "meaning", "meaning", "meaning", "sizes", "types", "operators",
             "scales")  # fmt: skip


def _splice(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    """Part of another file, a part doubled, left out, or an end cut off."""
    kind = rng.randrange(4)
    start = rng.randrange(len(data)) & ~3
    length = rng.choice((4, 8, 16, 64, 256))
    if kind == 0:
        return data[:start]
    if kind == 1:
        from_ = rng.randrange(len(other)) & ~3
        data[start : start + length] = other[from_ : from_ + length]
    elif kind == 2:
        data[start:start] = data[start : start + length]
    else:
        del data[start : start + length]
    return data


def _objects(rng: random.Random, data: bytes) -> bytes:
    """Operators, tensors and buffers of a parsed file changed, then written anew."""
    model = unpack(data)
    graph = model.subgraphs[0]
    for _ in range(rng.choice((1, 1, 2))):
        operator = rng.choice(graph.operators)
        tensor = rng.choice(graph.tensors)
        kind = rng.randrange(9)
        if kind == 0:
            graph.operators.append(operator)
        elif kind == 1 and len(graph.operators) > 1:
            graph.operators.remove(operator)
        elif kind == 2:
            rng.shuffle(graph.operators)
        elif kind == 3:
            operator.inputs = [*operator.inputs, rng.randrange(-1, len(graph.tensors))]
        elif kind == 4:
            operator.inputs = list(operator.inputs[:-1])
        elif kind == 5 and tensor.shape is not None:
            tensor.shape = [*tensor.shape, 1] if rng.random() < 0.5 else list(tensor.shape[1:])
        elif kind == 6:
            graph.outputs = [*graph.outputs, rng.randrange(len(graph.tensors))]
        elif kind == 7:
            operator.builtinOptions = None
            operator.builtinOptionsType = 0
        else:
            tensor.quantization = rng.choice(graph.tensors).quantization
    return pack(model)
