"""Put together what is known of every operator."""

from hashlib import sha256

from converters.explain.estimate import ZEN4, estimate_s
from converters.explain.kinds import (
    FLOATS,
    KINDS,
    SMALL_INTS,
    Kind,
    is_lce,
    is_multiplier,
    kind_of,
    unpacks_weights,
    weights_input,
)
from converters.explain.macs import macs_of, packed_macs
from converters.explain.reasons import note_on, why_not_one_bit
from converters.explain.report import Explanation, OpReport, Sizes, Totals
from converters.explain.targets import target_of
from converters.explain.wiring import Wiring, tensor_bytes
from converters.graph import BCONV, Graph, Op


def explain(graph: Graph, name: str) -> Explanation:
    """Explain a file; nothing is run.

    Args:
        graph: a file read by :func:`converters.graph.read_graph`, which checks it.
        name: of the file, for the report.
    """
    wiring = Wiring(graph)
    kinds = [kind_of(op, wiring) for op in graph.ops]
    macs = [macs_of(op, wiring) for op in graph.ops]
    weights = _weight_bytes(wiring)
    written = [0 if unpacks_weights(op, wiring) else _written(op, graph) for op in graph.ops]
    seconds = [
        0.0
        if unpacks_weights(op, wiring)
        else estimate_s(kind, packed_macs(op, wiring), _moved(op, wiring))
        for op, kind in zip(graph.ops, kinds, strict=True)
    ]
    all_macs = sum(m or 0 for m in macs)
    all_weights, all_written = sum(weights), sum(w or 0 for w in written)
    all_seconds = sum(s or 0.0 for s in seconds)
    ops = tuple(
        OpReport(
            index=op.index,
            op=op.name,
            name=graph.tensors[op.outputs[0]].name if op.outputs else "",
            kind=kinds[i],
            why_not_1bit=why_not_one_bit(op, wiring),
            note=note_on(op, wiring),
            macs=macs[i],
            weight_bytes=weights[i],
            activation_bytes=written[i],
            mac_share=_share(macs[i], all_macs),
            weight_share=_share(weights[i], all_weights),
            activation_share=_share(written[i], all_written),
            estimated_ms=_milliseconds(seconds[i]),
            estimated_share=_share(seconds[i], all_seconds),
            output_shape=graph.tensors[op.outputs[0]].shape if op.outputs else (),
            output_dtype=graph.tensors[op.outputs[0]].dtype if op.outputs else "",
        )
        for i, op in enumerate(graph.ops)
    )
    by_kind = {
        k: sum(m or 0 for m, kind in zip(macs, kinds, strict=True) if kind == k) for k in KINDS
    }
    return Explanation(
        file=name,
        file_sha256=sha256(graph.data).hexdigest(),
        file_bytes=len(graph.data),
        target=target_of(wiring),
        totals=Totals(
            ops=len(ops),
            ops_1bit=kinds.count("1-bit"),
            ops_int8=kinds.count("int8"),
            ops_float=kinds.count("float"),
            ops_other=kinds.count("other"),
            macs_1bit=by_kind["1-bit"],
            macs_int8=by_kind["int8"],
            macs_float=by_kind["float"] + by_kind["other"],
            macs_unknown_ops=sum(m is None for m in macs),
            weight_bytes=all_weights,
            activation_bytes=all_written,
            peak_activation_bytes=_peak(wiring),
            estimated_ms=1e3 * all_seconds,
        ),
        sizes=_sizes(wiring, kinds),
        estimated_for=ZEN4.name,
        ops=ops,
    )


def _share(part: float | None, whole: float) -> float:
    return (part or 0) / whole if whole else 0.0


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _weight_bytes(wiring: Wiring) -> list[int]:
    """Bytes of constants per operator; a shared buffer belongs to its first reader."""
    seen: set[int] = set()
    sizes = []
    for op in wiring.graph.ops:
        size = 0
        for i in wiring.constants(op):
            if wiring.buffer(i) not in seen:
                seen.add(wiring.buffer(i))
                size += wiring.constant_bytes(i)
        sizes.append(size)
    return sizes


def _written(op: Op, graph: Graph) -> int | None:
    sizes = [tensor_bytes(graph.tensors[i]) for i in op.outputs]
    known = [s for s in sizes if s is not None]
    return sum(known) if len(known) == len(sizes) else None


def _moved(op: Op, wiring: Wiring) -> int | None:
    """Bytes an operator reads and writes."""
    tensors = wiring.graph.tensors
    sizes = [tensor_bytes(tensors[i]) for i in (*wiring.computed(op), *op.outputs)]
    known = [s for s in sizes if s is not None]
    if len(known) != len(sizes):
        return None
    return sum(known) + sum(wiring.constant_bytes(i) for i in wiring.constants(op))


def _sizes(wiring: Wiring, kinds: list[Kind]) -> Sizes:
    graph = wiring.graph
    found = dict.fromkeys(("1-bit", "int8", "float", "parameters"), 0)
    uses: dict[int, str] = {}
    for op in graph.ops:
        for i in wiring.constants(op):
            use = "parameters"
            if op.name == BCONV and is_lce(op) and i == op.inputs[1]:
                use = "1-bit"
            elif (is_multiplier(op) and i == weights_input(op)) or (
                op.name == "DEQUANTIZE" and any(is_multiplier(r) for r in wiring.readers(op))
            ):
                use = _weights_use(graph.tensors[i].dtype)
            if uses.get(wiring.buffer(i), "parameters") == "parameters":
                uses[wiring.buffer(i)] = use
    counted: set[int] = set()
    for tensor in graph.tensors:
        buffer = wiring.buffer(tensor.index)
        if wiring.is_constant(tensor.index) and buffer not in counted:
            counted.add(buffer)
            found[uses.get(buffer, "parameters")] += wiring.constant_bytes(tensor.index)
    return Sizes(
        weights_1bit=found["1-bit"],
        weights_int8=found["int8"],
        weights_float=found["float"],
        parameters=found["parameters"],
        structure=len(graph.data) - sum(found.values()),
    )


def _weights_use(dtype: str) -> str:
    if dtype in FLOATS:
        return "float"
    return "int8" if dtype in SMALL_INTS else "parameters"


def _peak(wiring: Wiring) -> int:
    """Most bytes of activations alive at once; unknown sizes count as 0."""
    graph = wiring.graph
    last: dict[int, int] = dict.fromkeys(graph.inputs, -1)
    first: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    unpacked: set[int] = set()
    for place, op in enumerate(graph.ops):
        if unpacks_weights(op, wiring):
            unpacked.update(op.outputs)
            continue
        for i in op.outputs:
            first[i] = last[i] = place
        for i in (i for i in wiring.computed(op) if i not in unpacked):
            last[i] = place
            first.setdefault(i, place)
    last.update(dict.fromkeys(graph.outputs, len(graph.ops) - 1))
    # a tensor is there from its first operator to its last: changes at both ends, summed up
    change = [0] * (len(graph.ops) + 2)
    for i, begin in first.items():
        size = tensor_bytes(graph.tensors[i]) or 0
        change[begin] += size
        change[max(last.get(i, begin), begin) + 1] -= size
    peak = alive = 0
    for delta in change:
        alive += delta
        peak = max(peak, alive)
    return peak
