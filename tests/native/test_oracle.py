"""What is believed about LCE's own kernels, shown on LCE's own interpreter."""

from pathlib import Path

import numpy as np
import pytest

from converters.runtimes.interpreters import DEFAULT, INDIRECT, MODES, REFERENCE
from tests.native import emulator, nets
from tests.native.cases import CATEGORIES, Case, make_case, save
from tests.native.children import python, run_supervised
from tests.native.layer_models import add_bconv
from tests.native.nets import Net, NetBuilder, write_model
from tests.native.oracle import Outputs, accepts, emulate, is_smaller_than_kernel, read_results
from tests.native.replay import difference

SEED = 20261127

pytestmark = pytest.mark.native


def run_all_modes(
    cases: list[Case], folder: Path
) -> tuple[dict[tuple[int, str], Outputs], dict[int, list[str]]]:
    """Outputs by (case, mode), and the kinds of other events by case."""
    stored, record = folder / "cases.npz", folder / "outputs.bin"
    save(stored, cases, extra=[{"modes": MODES}] * len(cases))
    record.write_bytes(b"")
    events = run_supervised(python("-m", "tests.native.lce_worker", stored, record), 300)
    results = read_results(events, record, [len(case.net.outputs) for case in cases])
    others: dict[int, list[str]] = {}
    for event in events:
        if event["event"] != "result":
            others.setdefault(event["index"], []).append(event["event"])
    return {(index, mode): outputs for index, mode, outputs in results}, others


def convolutions() -> list[Case]:
    """Four cases of every category with one convolution."""
    names = list(CATEGORIES)
    numbers = [i for i in range(4 * len(names)) if names[i % len(names)].startswith("bconv")]
    return [make_case(SEED, number) for number in numbers]


def test_each_mode_accepts_what_is_said(tmp_path: Path) -> None:
    print(f"seed: {SEED}")
    cases = convolutions()
    found, others = run_all_modes(cases, tmp_path)
    for i, case in enumerate(cases):
        accepted = [mode for mode in MODES if accepts(case.net, case.net.ops[0], mode)]
        answered = [mode for mode in MODES if (i, mode) in found]
        crashes = others.get(i, []).count("crash")
        assert answered == accepted, (case.name, others.get(i))
        # bitpacked output, zero padding, no multiplier: the reference kernel reads a null pointer
        op = case.net.ops[0]
        packed = case.net.tensors[op.outputs[0]].dtype == "int32"
        if crashes:
            assert packed
            assert op.inputs[2] == nets.ABSENT
            assert op.options["pad_values"] == 0
            assert op.options["padding"] == nets.SAME


def test_modes_agree_where_they_are_right(tmp_path: Path) -> None:
    """Optimized kernels always with each other; the reference one but for zero padding."""
    print(f"seed: {SEED}")
    cases = convolutions()
    found, _ = run_all_modes(cases, tmp_path)
    compared = 0
    for i, case in enumerate(cases):
        op = case.net.ops[0]
        zeros = op.options["padding"] == nets.SAME and op.options["pad_values"] == 0
        if zeros and is_smaller_than_kernel(case.net, op):
            continue
        modes = [m for m in MODES if (i, m) in found and (m != REFERENCE or not zeros)]
        for mode in modes[1:]:
            compared += 1
            for a, b in zip(found[i, modes[0]], found[i, mode], strict=True):
                assert difference(a[0], b[0], False) == "", (case.name, modes[0], mode)
    assert compared > 50


def zero_padded(size: int, kernel: int, dilation: int) -> Case:
    """A zero-padded convolution of integers: multiplier 1, bias 0."""
    rng = np.random.default_rng(SEED)
    net = NetBuilder()
    options = {"channels_in": 64, "stride_height": 1, "stride_width": 1, "padding": nets.SAME}
    options |= {"dilation_height_factor": dilation, "dilation_width_factor": dilation}
    options |= {"pad_values": 0, "fused_activation_function": nets.NONE}
    source = net.input((1, size, size, 2), "int32")
    built = net.build(add_bconv(net, rng, source, 16, (kernel, kernel), options))
    op = built.ops[0]
    tensors = list(built.tensors)
    for index, value in ((op.inputs[2], 1), (op.inputs[3], 0)):
        tensors[index] = nets.Tensor((16,), "float32", np.full(16, value, np.float32))
    exact = Net(tuple(tensors), built.ops, built.inputs, built.outputs)
    bits = rng.integers(-(2**31), 2**31, (1, size, size, 2)).astype(np.int32)
    return Case(0, SEED, "zero padded", exact, write_model(exact), [[bits]])


@pytest.mark.parametrize(
    ("size", "kernel", "dilation", "right"),
    [(3, 3, 1, True), (2, 3, 1, False), (1, 3, 1, False), (4, 5, 1, False), (5, 3, 3, False)],
)
def test_optimized_zero_padding_is_wrong_on_small_images(
    size: int, kernel: int, dilation: int, right: bool, tmp_path: Path
) -> None:
    case = zero_padded(size, kernel, dilation)
    found, _ = run_all_modes([case], tmp_path)
    expected = emulate(case, emulator.INTEGER)
    for mode, correct in ((REFERENCE, True), (DEFAULT, right), (INDIRECT, right)):
        got = found[0, mode]
        assert (difference(got[0][0], expected[0][0], False) == "") == correct, mode
