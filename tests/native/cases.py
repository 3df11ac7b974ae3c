"""Numbered random cases: a network, its file and two sets of inputs, made from (seed, index).

A case can be made again from its seed and index alone. ``save`` and ``load`` keep cases with
their expected outputs in one ``.npz`` file, which :mod:`tests.native.replay` reads.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.native import nets
from tests.native.chain_models import CHAINS
from tests.native.layer_models import CONVOLUTIONS, pick, random_words
from tests.native.nets import Array, Net, write_model
from tests.native.sign_models import SIGNS

CATEGORIES: dict[str, Callable[[np.random.Generator], Net]] = {
    **SIGNS,
    **CONVOLUTIONS,
    **CHAINS,
}
INPUT_SETS = 2  # two, so that data left over from the run before is noticed
# (what TensorFlow Lite's own float kernels make of these is not ours to test)
_SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-40, -1e-40]
_ZERO_SIGN_OPS = {"RELU", "RELU6"}
_ZERO_SIGN_ACTIVATIONS = {nets.RELU, nets.RELU6}


@dataclass(frozen=True)
class Case:
    """A network with inputs.

    Attributes:
        index: number within its seed; decides the category.
        seed: of the whole run.
        category: key of ``CATEGORIES``.
        net: the network.
        model: the same as a ``.tflite`` file.
        inputs: ``INPUT_SETS`` lists of one array per graph input.
    """

    index: int
    seed: int
    category: str
    net: Net
    model: bytes
    inputs: list[list[Array]]

    @property
    def name(self) -> str:
        """For messages; says how to make the case again."""
        return f"{self.category!r} (seed {self.seed}, index {self.index})"

    @property
    def ignores_zero_sign(self) -> bool:
        """Whether a float RELU may have turned -0.0 into 0.0 or not."""
        return any(
            op.name in _ZERO_SIGN_OPS
            or op.options.get("fusedActivationFunction") in _ZERO_SIGN_ACTIVATIONS
            for op in self.net.ops
        )


def make_case(seed: int, index: int) -> Case:
    """The case of that number."""
    category = list(CATEGORIES)[index % len(CATEGORIES)]
    rng = np.random.default_rng([seed, index])
    net = CATEGORIES[category](rng)
    inputs = [[random_input(rng, net, i) for i in net.inputs] for _ in range(INPUT_SETS)]
    return Case(index, seed, category, net, write_model(net), inputs)


def random_input(rng: np.random.Generator, net: Net, index: int) -> Array:
    """Values for a graph input: special floats where only signs count, zero bits where unused."""
    tensor = net.tensors[index]
    if tensor.dtype == "float32":
        values = rng.normal(0, pick(rng, (0.5, 2.0, 20.0)), tensor.shape)
        special = rng.choice(_SPECIAL, tensor.shape)
        keep = rng.random(tensor.shape) < (0.95 if "ADD" not in _names(net) else 1.0)
        return np.where(keep, values, special).astype(np.float32)
    if tensor.dtype == "int8":
        return rng.integers(-128, 128, tensor.shape).astype(np.int8)
    if tensor.dtype == "bool":
        return rng.random(tensor.shape) < 0.5
    return random_words(rng, tensor.shape[:-1], _channels(net, index))


def _names(net: Net) -> set[str]:
    return {op.name for op in net.ops}


def _channels(net: Net, index: int) -> int:
    reader = next(op for op in net.ops if index in op.inputs)
    if reader.name == nets.BCONV:
        return reader.options["channels_in"]
    if reader.name == nets.DEQUANTIZE:
        return net.tensors[reader.outputs[0]].shape[-1]
    return 32 * net.tensors[index].shape[-1]


def save(
    path: Path,
    cases: Sequence[Case],
    outputs: Sequence[list[list[Array]]] | None = None,
    extra: Sequence[dict[str, Any]] | None = None,
) -> None:
    """Write cases, and what they should compute, for a child process or another machine.

    Args:
        path: of the ``.npz`` file.
        cases: the cases.
        outputs: for every case and input set, the expected outputs.
        extra: added to what is stored about each case.
    """
    arrays: dict[str, Array] = {}
    meta = []
    for i, case in enumerate(cases):
        arrays[f"model{i}"] = np.frombuffer(case.model, np.uint8)
        for s, values in enumerate(case.inputs):
            arrays |= {f"in{i}_{s}_{j}": value for j, value in enumerate(values)}
        for s, values in enumerate(outputs[i] if outputs else []):
            arrays |= {f"out{i}_{s}_{j}": value for j, value in enumerate(values)}
        meta.append(
            {
                "index": case.index,
                "seed": case.seed,
                "category": case.category,
                "sets": len(case.inputs),
                "inputs": len(case.net.inputs),
                "outputs": len(case.net.outputs),
                "ignores_zero_sign": case.ignores_zero_sign,
                **(extra[i] if extra else {}),
            }
        )
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **arrays)
