"""Whole converted networks, and how to cut binary blocks out of them."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from converters.graph import BCONV, Graph
from tests.native import nets
from tests.native.children import ROOT, python
from tests.native.nets import Net, Op, Tensor

_ACTIVATED = {"ADD": schema.AddOptions, "MUL": schema.MulOptions}


def write_resnet20(path: Path) -> Path:
    """The shipped 1-bit ResNet-20, converted by LCE."""
    from converters.lce import convert
    from irnet_keras import models

    path.write_bytes(convert(models.load("resnet20-w1a1-cifar10")).data)
    return path


def write_birealnet18(folder: Path) -> Path:
    """Bi-Real ResNet-18 with random weights, converted by LCE."""
    script = ROOT / "benchmarks" / "birealnet18.py"
    command = python(script, "--out", folder, "--only", "1bit")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{script.name} failed:\n{done.stderr[-2000:]}")
    return folder / "birealnet18-1bit.tflite"


def binary_blocks(graph: Graph) -> list[tuple[Net, tuple[int, ...]]]:
    """One network for every binary convolution: quantize, convolve and what follows.

    A block begins with the ``LceQuantize`` that feeds the convolution and goes on through
    element-wise operators while they are the only reader of the result.

    Returns:
        (network, indices in ``graph`` of its inputs and then of its output) of every block.
    """
    return [_block(graph, op.index) for op in graph.ops_named(BCONV)]


def _block(graph: Graph, conv: int) -> tuple[Net, tuple[int, ...]]:
    chosen = [graph.ops[conv]]
    producer = graph.producer(chosen[0].inputs[0])
    if producer is not None and producer.name == nets.QUANTIZE:
        chosen.insert(0, producer)
    while True:
        readers = [op for op in graph.ops if chosen[-1].outputs[0] in op.inputs]
        if len(readers) != 1 or readers[0].name not in ("ADD", "MUL", "RELU_N1_TO_1"):
            break
        chosen.append(readers[0])
    written = {op.outputs[0] for op in chosen}
    used = dict.fromkeys(i for op in chosen for i in (*op.inputs, *op.outputs) if i != nets.ABSENT)
    number = {index: n for n, index in enumerate(used)}
    sources = [i for i in used if i not in written and graph.tensors[i].data is None]
    ops = tuple(
        Op(
            op.name,
            tuple(number.get(i, nets.ABSENT) for i in op.inputs),
            tuple(number[i] for i in op.outputs),
            _options(graph, op.index),
        )
        for op in chosen
    )
    tensors = tuple(_tensor(graph, i) for i in used)
    last = chosen[-1].outputs[0]
    net = Net(tensors, ops, tuple(number[i] for i in sources), (number[last],))
    return net, (*sources, last)


def _tensor(graph: Graph, index: int) -> Tensor:
    tensor = graph.tensors[index]
    return Tensor(tensor.shape, tensor.dtype.lower(), tensor.data)


def _options(graph: Graph, index: int) -> Mapping[str, int]:
    op = graph.ops[index]
    if op.options is not None:
        return dict(vars(op.options))
    if op.name not in _ACTIVATED:
        return {}
    stored = schema.Model.GetRootAs(graph.data, 0).Subgraphs(0).Operators(index).BuiltinOptions()
    options = _ACTIVATED[op.name]()
    if stored is not None:
        options.Init(stored.Bytes, stored.Pos)
        return {"fusedActivationFunction": int(options.FusedActivationFunction())}
    return {"fusedActivationFunction": nets.NONE}
