"""Float leftovers against int8 ones: size, stem time, whole time, accuracy on all test images.

    python benchmarks/leftovers.py --out DIR [--data-dir DIR] [--rounds 40] [--check] [--json FILE]

Bi-Real ResNet-18 (224x224, ``benchmarks/birealnet18.py``'s random weights): bytes of the three
files, and medians of single-thread times, interleaved: every round visits every file once in a
new random order, after one untimed run. The stem is what stands between the input and the first
``LceQuantize`` (convolution, activation, max pool, and of the int8 file QUANTIZE and DEQUANTIZE);
it runs in LiteRT as a file of its own. The two forms of int8 weights are timed too: unpacked once
(what ``--leftovers int8-weights`` writes) and dynamic-range, where LiteRT quantizes activations as
it runs. With ``--data-dir``: ResNet-20 with shipped weights on CIFAR-10's 10,000 test and 50,000
training images, and for comparison: dense weights rounded to the nearest step by the quantizer
alone, dynamic range of weights rounded as ours, tiny changes of the float stem's weights.
Exit status 1 with ``--check`` if a bound is missed.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import numpy as np
from birealnet18 import write_files
from interleaving import interleaved

from converters.graph import QUANTIZE, Edit, Graph, embed_buffers, read_graph, with_operators
from converters.lce import convert
from converters.leftovers import MODES, quantize_leftovers
from converters.leftovers.prepare import prepare
from converters.leftovers.quantizer import run_quantizer
from converters.leftovers.representative import sample_inputs
from converters.leftovers.select import select
from converters.leftovers.statistics import collect
from converters.runtimes import TFLiteProcess
from irnet_keras import models
from irnet_keras.data.cifar10 import load_cifar10
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.files import atomic_write, make_folder

MEGABYTE = 1e6
BOUND_MB = {"float32": 4.2, "int8-weights": 2.2, "int8": 2.2}
BOUND_STEM = 0.5
BOUND_POINTS = {"int8-weights": 0.1, "int8": 0.5}
DYNAMIC, NEAREST = "dynamic range", "nearest int8 weights"
NOISE = (1e-5, 1e-4, 1e-3)


@dataclass
class Row:
    """One line of the table; ``bound`` is an upper one."""

    what: str
    value: float
    bound: float | None = None
    unit: str = ""

    @property
    def passed(self) -> bool | None:
        return None if self.bound is None else self.value <= self.bound


def stem(graph: Graph) -> bytes:
    """The operators up to the first ``LceQuantize``, as a file."""
    end = graph.ops_named(QUANTIZE)[0].inputs[0]
    needed, ops = {end}, []
    for op in reversed(graph.ops):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            ops.append(op)
    return with_operators(graph, ops[::-1], graph.inputs, [end])


def dynamic_range(source: Graph) -> Graph:
    """The quantizer library's other form of int8 weights, for comparison."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.qtyping import TFLOperationName

    edit = Edit(source)
    edit.remove_unused()  # (of two constants with one name, as prepare() leaves them)
    graph = edit.finish()
    library = quantizer.Quantizer(bytearray(graph.data))
    for op in select(graph, "int8-weights").ops:
        name = graph.tensors[op.outputs[0]].name
        library.add_dynamic_config(f"^{name}", TFLOperationName[op.name], num_bits=8)
    result = library.quantize(enable_progress_bar=False, enable_progress_report=False)
    return embed_buffers(bytes(result.quantized_model))


def runner(data: bytes, *, delegate: bool) -> Callable[[], Any]:
    """One run on fixed random input, one thread."""
    import lce_delegate
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_content=data,
        num_threads=1,
        experimental_delegates=[lce_delegate.load()] if delegate else None,
    )
    interpreter.allocate_tensors()
    (details,) = interpreter.get_input_details()
    values = np.random.default_rng(0).standard_normal(details["shape"]).astype(np.float32)
    interpreter.set_tensor(details["index"], values)
    return interpreter.invoke


def resnet18(folder: Path, rounds: int) -> list[Row]:
    path = folder / "birealnet18-1bit.tflite"
    if not path.exists():
        write_files(folder, 0, ("1bit",), lambda line: print(line, file=sys.stderr))
    source = read_graph(path)
    graphs: dict[str, Graph] = {}
    rows = []
    for mode in MODES:
        graphs[mode] = quantize_leftovers(source, mode).graph
        atomic_write(folder / f"birealnet18-1bit-{mode}.tflite", graphs[mode].data)
        size = len(graphs[mode].data) / MEGABYTE
        rows.append(Row(f"ResNet-18, leftovers {mode}: size", size, BOUND_MB[mode], " MB"))
    graphs[DYNAMIC] = dynamic_range(source)
    subjects = {
        f"stem {mode}": runner(stem(graphs[mode]), delegate=False) for mode in ("float32", "int8")
    }
    subjects |= {f"all {name}": runner(graph.data, delegate=True) for name, graph in graphs.items()}
    median = interleaved(subjects, rounds)
    rows += [Row(f"ResNet-18, {name}: time", value, None, " ms") for name, value in median.items()]
    ratio = median["stem int8"] / median["stem float32"]
    rows.append(Row("ResNet-18, stem: int8 / float32", ratio, BOUND_STEM))
    return rows


def with_noise(graph: Graph, noise: float) -> Graph:
    """The stem's float weights changed at random, by ``noise`` of the filter's largest."""
    stem_conv = graph.ops_named("CONV_2D")[0]
    weights = graph.tensors[stem_conv.inputs[1]].data
    assert weights is not None  # noqa: S101  (select() would not choose it)
    largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    change = np.random.default_rng(0).standard_normal(weights.shape) * noise * largest
    edit = Edit(graph)
    changed = edit.add_constant("noisy", (weights + change).astype(np.float32))
    edit.set_inputs(stem_conv, (stem_conv.inputs[0], changed, *stem_conv.inputs[2:]))
    return edit.finish()


def classes(path: Path, images: Any) -> Any:
    """Answers of a file, image by image."""
    with TFLiteProcess(path) as process:
        parts = np.array_split(images, -(-len(images) // 1000))
        return np.concatenate([process.run(preprocess(part)).argmax(axis=1) for part in parts])


def resnet20(folder: Path, data_dir: Path) -> list[Row]:
    """Accuracy on both splits, and what a change of the stem far below int8's does."""
    float_graph = read_graph(convert(models.load("resnet20-w1a1-cifar10")).data)
    graphs = {mode: quantize_leftovers(float_graph, mode).graph for mode in MODES}
    chosen = select(float_graph, "int8-weights")
    graphs[NEAREST] = run_quantizer(float_graph, chosen, {}, print)
    shape = float_graph.tensors[float_graph.inputs[0]].shape[1:]
    statistics = collect(float_graph, chosen, sample_inputs(shape, test=False))
    prepared = prepare(float_graph, chosen, statistics)  # the weights of int8-weights
    graphs[DYNAMIC] = dynamic_range(prepared)
    graphs |= {f"{noise:g} noise on stem": with_noise(float_graph, noise) for noise in NOISE}
    rows = []
    for split in ("test", "train"):
        data = load_cifar10(split, data_dir)
        before = None
        for name, graph in graphs.items():
            path = folder / f"resnet20-{name.replace(' ', '-')}.tflite"
            atomic_write(path, graph.data)
            answers = classes(path, data.images)
            right = answers == data.labels
            before = (answers, right) if before is None else before
            title = f"ResNet-20, {name}, {split}"
            rows.append(Row(f"{title}: accuracy", 100 * float(right.mean()), None, " %"))
            if graph is float_graph:
                continue
            points = 100 * (int(before[1].sum()) - int(right.sum())) / len(right)
            bound = BOUND_POINTS.get(name) if split == "test" else None
            rows.append(Row(f"{title}: points lost", points, bound))
            changed = 100 * float((answers != before[0]).mean())
            rows.append(Row(f"{title}: other answer", changed, None, " %"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--data-dir", type=Path, help="TFDS data folder")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    make_folder(arguments.out)
    rows = resnet18(arguments.out, arguments.rounds)
    if arguments.data_dir is not None:
        rows += resnet20(arguments.out, arguments.data_dir)
    print(f"{'what':58s} {'measured':>11s} {'bound':>8s}")
    for row in rows:
        bound = "" if row.bound is None else f"<= {row.bound:g}"
        verdict = {True: "ok", False: "MISSED", None: ""}[row.passed]
        print(f"{row.what:58s} {row.value:>8.3f}{row.unit:3s} {bound:>8s} {verdict}")
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps([asdict(row) | {"passed": row.passed} for row in rows], indent=1)
        )
    return int(arguments.check and any(row.passed is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
