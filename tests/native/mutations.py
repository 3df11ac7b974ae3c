"""Damaged single-layer files, and what may be made of them.

A mutation must end in an exception when the interpreter is made or its tensors are allocated,
or, where ``meaning`` says what the damaged file still means, in the outputs of that. Nothing may
crash, and no other outputs may come out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from tests.native import nets
from tests.native.cases import Case
from tests.native.emulator import geometry
from tests.native.layer_models import add_bconv
from tests.native.nets import Array, Net, NetBuilder, Op, Tensor, flexbuffer, write_model

Rng = np.random.Generator
LARGEST_OPTION = 2**24  # beyond it, nothing is computed here, so it must be refused
OPTION_VALUES = (-(2**63), -(2**31), -1, 0, 2, 3, 7, 99, 2**15, 2**31 - 1, 2**31, 2**32 + 1, 2**40)


@dataclass(frozen=True)
class Mutation:
    """A damaged file.

    Attributes:
        what: in words.
        case: the damaged file with inputs; its ``net`` is the undamaged one.
        meanings: networks it may still stand for; empty if it must be refused.
    """

    what: str
    case: Case
    meanings: tuple[Net, ...]


def base(output: str = "float32", padding: int = nets.SAME, pad_values: int = 1) -> Net:
    """A 3x3 convolution of 40 to 33 channels on 5 x 6 pixels."""
    rng = np.random.default_rng(1)
    net = NetBuilder()
    options = {
        "channels_in": 40,
        "stride_height": 1,
        "stride_width": 1,
        "dilation_height_factor": 1,
        "dilation_width_factor": 1,
        "padding": padding,
        "pad_values": pad_values,
        "fused_activation_function": nets.NONE,
    }
    source = net.input((1, 5, 6, 2), "int32")
    return net.build(add_bconv(net, rng, source, 33, (3, 3), options, output))


def pool_base() -> Net:
    """A 2x2 maximum of 40 channels on 5 x 6 pixels."""
    net = NetBuilder()
    source = net.input((1, 5, 6, 2), "int32")
    options = {"padding": 1, "stride_height": 1, "stride_width": 1}
    options |= {"filter_height": 2, "filter_width": 2}
    return net.build(net.op(nets.BMAXPOOL, [source], net.tensor((1, 4, 5, 2), "int32"), **options))


def option_bytes(rng: Rng, net: Net) -> Iterator[Mutation]:
    """Every byte of the options replaced by several values, and every shorter length."""
    blob = flexbuffer(net.ops[0].options)
    for place, byte in enumerate(blob):
        others = {0, 255, byte ^ 1, byte ^ 0x80, (byte + 1) % 256, int(rng.integers(256))}
        for value in sorted(others - {byte}):
            damaged = blob[:place] + bytes([value]) + blob[place + 1 :]
            yield _with_options(rng, net, damaged, f"byte {place}: {byte} -> {value}")
    for length in range(len(blob)):
        yield _with_options(rng, net, blob[:length], f"cut to {length} bytes")
    yield _with_options(rng, net, blob + b"\xff" * 8, "8 bytes behind")


def option_values(rng: Rng, net: Net) -> Iterator[Mutation]:
    """Every option replaced by bad and by other good values, left out, or of another type."""
    options = dict(net.ops[0].options)
    for key in options:
        for value in OPTION_VALUES:
            if value != options[key]:
                blob = flexbuffer({**options, key: value})
                yield _with_options(rng, net, blob, f"{key} = {value}")
        without = {k: v for k, v in options.items() if k != key}
        yield _with_options(rng, net, flexbuffer(without), f"without {key}")
        for other in ("1", 1.5, None, [1, 2], {"a": 1}):
            blob = bytes(flexbuffers.Dumps({**options, key: other}))
            yield _with_options(rng, net, blob, f"{key} = {other!r}")
    extra = flexbuffer({**options, "unknown": 1})
    yield _with_options(rng, net, extra, "an unknown option")


def _with_options(rng: Rng, net: Net, blob: bytes, what: str) -> Mutation:
    case = _case(rng, net, write_model(net, {0: blob}))
    # (a reader may rightly not look at a byte, so the old meaning is always allowed)
    meanings = [net]
    options = _readable(blob, net.ops[0])
    if options is not None and _computable(net, options):
        meanings.append(replace(net, ops=(replace(net.ops[0], options=options),)))
    if "=" in what or "without" in what:
        meanings = meanings[1:]
    return Mutation(what, case, tuple(meanings))


def _readable(blob: bytes, op: Op) -> Mapping[str, int] | None:
    try:
        values = flexbuffers.Loads(blob)
    except Exception:  # noqa: BLE001  (the package raises whatever it stumbles over)
        return None
    if not isinstance(values, dict) or any(type(values.get(key)) is not int for key in op.options):
        return None
    return {key: values[key] for key in op.options}


def _computable(net: Net, o: Mapping[str, int]) -> bool:
    sizes = [v for key, v in o.items() if key not in _CHOICES]
    if not all(1 <= v < LARGEST_OPTION for v in sizes):
        return False
    if o["padding"] not in (0, 1):
        return False
    source = net.tensors[net.inputs[0]].shape
    if net.ops[0].name == nets.BMAXPOOL:
        keys = [("filter_height", "stride_height", 1), ("filter_width", "stride_width", 1)]
        kernels = [(o[k], o[s], d) for k, s, d in keys]
    else:
        if o["pad_values"] not in (0, 1) or o["fused_activation_function"] not in range(4):
            return False
        if -(-o["channels_in"] // 32) != source[3]:
            return False
        kernels = [
            (3, o[f"stride_{side}"], o[f"dilation_{side}_factor"]) for side in ("height", "width")
        ]
    out = [
        geometry(n, k, s, d, o["padding"])[0]
        for n, (k, s, d) in zip(source[1:3], kernels, strict=True)
    ]
    return min(out) > 0


_CHOICES = ("padding", "pad_values", "fused_activation_function")


def structures(rng: Rng, output: str) -> Iterator[Mutation]:
    """Shapes, types and tensors that do not fit each other."""
    net = base(output)
    op = net.ops[0]
    source, filters, multiplier, bias, thresholds = op.inputs
    affine = [thresholds] if output == "int32" else [multiplier, bias]
    for slot in range(5):
        if slot < 2 or op.inputs[slot] in affine:
            yield _edit(rng, net, f"input {slot} missing", op=_input(op, slot, nets.ABSENT))
    for slot, index in enumerate(op.inputs):
        if slot and index in (filters, *affine):
            tensor = net.tensors[index]
            yield from _constants(rng, net, slot, tensor)
    for shape in ((5, 6, 2), (1, 5, 6, 1), (1, 5, 6, 3), (1, 1, 5, 6, 2), (2,), (1, 0, 6, 2)):
        yield _edit(rng, net, f"input of shape {shape}", {source: Tensor(shape, "int32")})
    for dtype in ("float32", "int8", "bool"):
        yield _edit(rng, net, f"{dtype} input", {source: Tensor((1, 5, 6, 2), dtype)})
    target = op.outputs[0]
    for count in (0, 2):
        outputs = (target,) * count
        yield _edit(rng, net, f"{count} outputs", op=replace(op, outputs=outputs))
    yield _edit(rng, net, "bool output", {target: replace(net.tensors[target], dtype="bool")})
    for number in (0, 1, 2, 4):
        yield _edit(rng, net, f"{number} inputs", op=replace(op, inputs=op.inputs[:number]))
    yield _edit(rng, net, "6 inputs", op=replace(op, inputs=(*op.inputs, filters)))
    for shape in ((1, 5, 6), (1, 1, 1, 1), (1, 50, 60, 33), (1, 5, 6, 99), (33,)):
        changed = {target: replace(net.tensors[target], shape=shape)}
        yield _edit(rng, net, f"output of shape {shape}", changed, meanings=(net,))
    if output == "int8":
        tensor = net.tensors[target]
        for scale in (None, 0.0, -1.0, float("nan")):
            yield _edit(rng, net, f"output scale {scale}", {target: replace(tensor, scale=scale)})
        allowed = [replace(tensor, zero_point=n) for n in (-129, 128, 2**31 - 1)]
        for odd in (*allowed, replace(tensor, scale=float("inf"))):
            meant = (replace(net, tensors=_replaced(net, {target: odd})),)
            what = f"output scale {odd.scale}, zero point {odd.zero_point}"
            yield _edit(rng, net, what, {target: odd}, meanings=meant)


def _constants(rng: Rng, net: Net, slot: int, tensor: Tensor) -> Iterator[Mutation]:
    """One constant with other dimensions, another type, or not constant."""
    index = net.ops[0].inputs[slot]
    data = tensor.data
    assert data is not None
    edits: dict[str, Array] = {"rank + 1": data[None], "flat": data.reshape(-1), "empty": data[:0]}
    for axis, size in enumerate(data.shape):
        edits[f"axis {axis} longer"] = np.concatenate([data, data], axis)
        edits[f"axis {axis} of {size - 1}"] = np.delete(data, 0, axis)
    edits["float64 bits"] = np.resize(data, (*data.shape[:-1], 2 * data.shape[-1]))
    for what, changed in edits.items():
        if changed.shape != data.shape:
            meant = _resized(net, slot, changed)
            new = {index: replace(tensor, shape=changed.shape, data=changed)}
            yield _edit(rng, net, f"input {slot} {what}", new, meanings=meant)
    other = "int32" if tensor.dtype == "float32" else "float32"
    retyped = replace(tensor, dtype=other, data=data.view(other))
    yield _edit(rng, net, f"input {slot} of type {other}", {index: retyped})
    loose = replace(net, tensors=_replaced(net, {index: replace(tensor, data=None)}))
    yield Mutation(
        f"input {slot} not constant",
        _case(rng, replace(loose, inputs=(*net.inputs, index)), None),
        (replace(loose, inputs=(*net.inputs, index)),),
    )
    yield _edit(rng, net, f"input {slot} without data", {index: replace(tensor, data=None)})


def _resized(net: Net, slot: int, data: Array) -> tuple[Net, ...]:
    """Filters of another height or width still are filters."""
    if slot != 1 or data.ndim != 4 or 0 in data.shape:
        return ()
    if data.shape[0] != 33 or data.shape[3] not in (1, 2):
        return ()
    if data.shape[3] == 1:  # two groups of 32 channels: neither 40 channels nor 33 filters fit
        return ()
    new = replace(net.tensors[net.ops[0].inputs[1]], shape=data.shape, data=data)
    return (replace(net, tensors=_replaced(net, {net.ops[0].inputs[1]: new})),)


def _input(op: Op, slot: int, tensor: int) -> Op:
    return replace(op, inputs=(*op.inputs[:slot], tensor, *op.inputs[slot + 1 :]))


def _replaced(net: Net, tensors: Mapping[int, Tensor]) -> tuple[Tensor, ...]:
    return tuple(tensors.get(i, t) for i, t in enumerate(net.tensors))


def _edit(
    rng: Rng,
    net: Net,
    what: str,
    tensors: Mapping[int, Tensor] | None = None,
    *,
    op: Op | None = None,
    meanings: tuple[Net, ...] = (),
) -> Mutation:
    damaged = replace(net, tensors=_replaced(net, tensors or {}), ops=(op or net.ops[0],))
    return Mutation(what, _case(rng, damaged, None), meanings)


def _case(rng: Rng, net: Net, model: bytes | None) -> Case:
    inputs = []
    for index in net.inputs:
        tensor = net.tensors[index]
        bits = rng.integers(-(2**31), 2**31, tensor.shape).astype(np.int32)
        if tensor.dtype == "int32" and tensor.shape[-1:] == (2,):
            bits[..., 1] &= 255  # 40 channels
        inputs.append(bits if tensor.dtype == "int32" else _other(rng, tensor))
    return Case(0, 0, "damaged", net, write_model(net) if model is None else model, [inputs])


def _other(rng: Rng, tensor: Tensor) -> Array:
    values: Any = rng.integers(0, 2, tensor.shape)
    return np.asarray(values, tensor.dtype)


Maker = Callable[[Rng], Iterator[Mutation]]
SUITES: dict[str, Maker] = {
    "bytes float": lambda rng: option_bytes(rng, base()),
    "bytes packed": lambda rng: option_bytes(rng, base("int32", nets.SAME, 0)),
    "bytes pool": lambda rng: option_bytes(rng, pool_base()),
    "values float": lambda rng: option_values(rng, base()),
    "values int8": lambda rng: option_values(rng, base("int8")),
    "values packed": lambda rng: option_values(rng, base("int32", nets.VALID)),
    "values pool": lambda rng: option_values(rng, pool_base()),
    "structure float": lambda rng: structures(rng, "float32"),
    "structure int8": lambda rng: structures(rng, "int8"),
    "structure packed": lambda rng: structures(rng, "int32"),
}
