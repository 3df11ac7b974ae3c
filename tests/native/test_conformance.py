"""The delegate computes what LCE computes, bit for bit, on random layers and chains."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.native import emulator, nets
from tests.native.cases import CATEGORIES, Case, make_case, random_input
from tests.native.children import ROOT, python, run_supervised
from tests.native.conformance import export, replay
from tests.native.layer_models import add_bconv, bconv_options, random_bconv
from tests.native.nets import Array, Net, NetBuilder, write_model
from tests.native.oracle import Outputs, Verdict, emulate, judge, padding_form, read_results
from tests.native.sign_models import bmaxpool

SEED = 20261123
LAYERS = 8 * len(CATEGORIES)
KERNELS = ("avx512", "avx2", "neon", "scalar")

pytestmark = pytest.mark.native


@dataclass(frozen=True)
class Stored:
    """Judged cases and the file that holds them."""

    cases: list[Case]
    verdicts: list[Verdict]
    path: Path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The cases of this module, judged once."""
    print(f"seed: {SEED}")
    cases = [make_case(SEED, index) for index in range(LAYERS)]
    verdicts = judge(cases)
    path = tmp_path_factory.mktemp("conformance") / "cases.npz"
    export(path, cases, verdicts)
    return Stored(cases, verdicts, path)


def failures(stored: Stored, events: list[dict[str, Any]]) -> list[str]:
    """One text per failure or crash, and one if cases were left out."""
    runs = sum(e["runs"] for e in events if e["event"] == "summary")
    texts = [
        f"{stored.cases[e['index']].name}, {e.get('options', e['event'])}: {e['message']}"
        for e in events
        if e["event"] in ("failure", "crash")
    ]
    return texts if runs >= len(stored.cases) or texts else [f"only {runs} runs"]


def test_lce_and_emulator_agree(stored: Stored) -> None:
    problems = [
        f"{case.name}: {problem}"
        for case, verdict in zip(stored.cases, stored.verdicts, strict=True)
        for problem in verdict.problems
    ]
    assert problems == []
    answered = sum(bool(verdict.modes) for verdict in stored.verdicts)
    assert answered >= 0.9 * len(stored.cases)


def test_every_category_is_covered(stored: Stored) -> None:
    assert {case.category for case in stored.cases} == set(CATEGORIES)
    assert len(stored.cases) >= 300


def test_every_kernel_set_is_known_here(info: dict[str, Any]) -> None:
    assert {each["name"] for each in info["kernel_sets"]} <= set(KERNELS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_layers_match_lce(stored: Stored, library: Path, info: dict[str, Any], kernel: str) -> None:
    supported = [each["name"] for each in info["kernel_sets"] if each["supported"]]
    if kernel not in supported:
        pytest.skip(f"this library and CPU have the kernel sets {', '.join(supported)}")
    events = replay(stored.path, library, kernel, threads="1,2", fusion="1,0")
    assert failures(stored, events) == []


def resized_case(index: int, make: Callable[[np.random.Generator], Net]) -> Case:
    """A case whose second input set has another batch, height and width."""
    rng = np.random.default_rng([SEED, index])
    net = make(rng)
    shape = net.tensors[net.inputs[0]].shape
    larger = tuple(int(n) for n in np.add(shape[:3], rng.integers(1, 6, 3))) + shape[3:]
    tensors = list(net.tensors)
    tensors[net.inputs[0]] = nets.Tensor(larger, tensors[net.inputs[0]].dtype)
    other = nets.Net(tuple(tensors), net.ops, net.inputs, net.outputs)
    inputs = [[random_input(rng, each, net.inputs[0])] for each in (net, other)]
    return Case(index, SEED, "resized", net, write_model(net), inputs)


def bireal_without_residual_input(rng: np.random.Generator) -> Net:
    """quantize, convolve, quantize, convolve: everything inside has to follow the resize."""
    net = NetBuilder()
    x = net.input((1, 6, 7, 40), "float32")
    for channels, count in ((40, 33), (33, 24)):
        words = net.tensor((*net.shape(x)[:3], -(-channels // 32)), "int32")
        bits = net.op(nets.QUANTIZE, [x], words)
        options = bconv_options(rng, "same0", channels, nets.NONE)
        options |= {"dilation_height_factor": 1, "dilation_width_factor": 1}
        options |= {"stride_height": 1, "stride_width": 1}
        x = add_bconv(net, rng, bits, count, (3, 3), options)
    return net.build(x)


def test_resizing_inputs(library: Path, tmp_path: Path) -> None:
    makers: list[Callable[[np.random.Generator], Net]] = [
        bmaxpool,
        bireal_without_residual_input,
        *(
            lambda rng, p=padding, o=output: random_bconv(rng, p, o, dummy=False)
            for padding in ("valid", "same1", "same0")
            for output in ("float32", "int32", "int8")
        ),
    ]
    cases = [resized_case(i, make) for i, make in enumerate(makers * 3)]
    outputs = [emulate(case, padding_form(case.net)) for case in cases]
    verdicts = [Verdict(each, "emulator", (), ()) for each in outputs]
    stored = Stored(cases, verdicts, tmp_path / "cases.npz")
    export(stored.path, cases, verdicts)
    assert failures(stored, replay(stored.path, library, threads="1,2", fusion="1,0")) == []


def test_integers_first_exactness(library: Path, tmp_path: Path) -> None:
    names = list(CATEGORIES)
    indices = [i for i in range(20 * len(names)) if names[i % len(names)].startswith("bconv")]
    cases = [make_case(SEED, index) for index in indices]
    exact = [emulate(case, padding_form(case.net), emulator.KERAS) for case in cases]
    export(tmp_path / "cases.npz", cases, [Verdict(each, "emulator", (), ()) for each in exact])
    record = tmp_path / "outputs.bin"
    record.touch()
    script = ROOT / "tests" / "native" / "replay.py"
    command = python(script, tmp_path / "cases.npz", "--library", library, "--record", record)
    events = run_supervised([*command, "--exactness", "keras"], 600)
    results = read_results(events, record, [1] * len(cases))
    assert len(results) == len(cases), [e for e in events if e["event"] != "result"]
    wrong = [
        f"{cases[i].name}: {text}"
        for i, _, outputs in results
        if (text := far_from_exact(cases[i], outputs, exact[i]))
    ]
    assert wrong == []


def far_from_exact(case: Case, outputs: Outputs, exact: Outputs) -> str:
    """What is further from float64 than the float32 roundings of ``sum * g + b`` allow."""
    op = case.net.ops[0]
    for (got,), (expected,), inputs in zip(outputs, exact, case.inputs, strict=True):
        if got.dtype == np.float32:
            error = np.abs(got.astype(np.float64) - expected)
            allowed = _ulp(expected) + _ulp(_product(case.net, op, inputs[0]))
            bad = error > allowed
        elif got.dtype == np.int8:
            bad = np.abs(got.astype(int) - expected.astype(int)) > 1
        else:
            bad = got != expected
        if bad.any():
            place = tuple(np.argwhere(bad)[0])
            return f"{got[place]} instead of {expected[place]}"
    return ""


def _ulp(values: Array) -> Array:
    """Half a unit in the last place of float32, subnormals counting as zeros."""
    with np.errstate(over="ignore"):
        spacing = np.spacing(np.abs(values).astype(np.float32)).astype(np.float64)
    return np.maximum(spacing / 2, 2.0**-126)


def _product(net: Net, op: nets.Op, source: Array) -> Array:
    """``sum * g`` in float64, with ones in place of the bias."""
    filters, g = (net.tensors[i].data for i in op.inputs[1:3])
    assert filters is not None
    assert g is not None
    sums, outside, _ = emulator.bconv_sums(op, source, filters)
    return (np.abs(sums) + np.abs(outside)) * emulator.flush(g).astype(np.float64)
