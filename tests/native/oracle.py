"""What a case should compute: LCE's interpreter where it has an answer, else the emulator.

LCE has three implementations of ``LceBconv2d``. ``modes`` says which of them accept a network
and ``right_modes`` which of those are right. Every right answer is also held against the
emulator, bit for bit, so the emulator may speak where LCE cannot.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.runtimes.interpreters import DEFAULT, INDIRECT, MODES, REFERENCE
from tests.native import emulator, nets
from tests.native.cases import Case, save
from tests.native.children import Event, python, run_supervised
from tests.native.nets import Array, Net, Op
from tests.native.replay import difference

Outputs = list[list[Array]]


@dataclass(frozen=True)
class Verdict:
    """Expected outputs of a case.

    Attributes:
        outputs: for every input set one array per graph output.
        source: ``"emulator"`` or the LCE mode.
        modes: LCE modes that gave a right answer.
        problems: disagreements between LCE's modes, the emulator and the acceptance rules.
    """

    outputs: Outputs
    source: str
    modes: tuple[str, ...]
    problems: tuple[str, ...]


def is_zero_padded(op: Op) -> bool:
    """Whether the operator is a convolution with SAME padding of value 0."""
    return (
        op.name == nets.BCONV
        and op.options["padding"] == nets.SAME
        and op.options["pad_values"] == 0
    )


def accepts(net: Net, op: Op, mode: str) -> bool:
    """Whether an LCE implementation of ``LceBconv2d`` runs the operator without a crash."""
    channels = op.options["channels_in"]
    words, depth = (net.tensors[i].shape[3] for i in op.inputs[:2])
    output = net.tensors[op.outputs[0]].dtype
    if mode == DEFAULT and words != depth:
        return False
    if not is_zero_padded(op):
        return True
    if mode == REFERENCE:
        return channels % 2 == 0 and (output != "int32" or op.inputs[2] != nets.ABSENT)
    return output == "float32" and op.options["fused_activation_function"] == nets.NONE


def is_smaller_than_kernel(net: Net, op: Op) -> bool:
    """Whether the image is smaller than the dilated kernel in height or width."""
    image, kernel = (net.tensors[i].shape for i in op.inputs[:2])
    sides = zip(image[1:3], kernel[1:3], ("height", "width"), strict=True)
    return any(n < (k - 1) * op.options[f"dilation_{side}_factor"] + 1 for n, k, side in sides)


def modes(net: Net) -> tuple[str, ...]:
    """LCE's implementations that accept every convolution of a network."""
    convs = [op for op in net.ops if op.name == nets.BCONV]
    return tuple(mode for mode in MODES if all(accepts(net, op, mode) for op in convs))


def right_modes(net: Net) -> tuple[str, ...]:
    """Those whose result is right."""
    wrong = any(is_zero_padded(op) and is_smaller_than_kernel(net, op) for op in net.ops)
    return tuple(mode for mode in modes(net) if not wrong or mode == REFERENCE)


def padding_form(net: Net) -> str:
    """The emulator's form of zero padding that the delegate has to follow."""
    wrong = any(is_zero_padded(op) and is_smaller_than_kernel(net, op) for op in net.ops)
    return emulator.INTEGER if wrong else emulator.CORRECTION


def emulate(case: Case, form: str, exactness: str = emulator.LCE) -> Outputs:
    """The emulator's outputs for every input set."""
    return [emulator.run(case.net, values, form, exactness) for values in case.inputs]


def judge(cases: Sequence[Case], timeout: float = 600.0) -> list[Verdict]:
    """Expected outputs of every case."""
    found, refused = _run_lce(cases, timeout)
    return [_verdict(case, found.get(i, {}), refused.get(i, {})) for i, case in enumerate(cases)]


def _run_lce(
    cases: Sequence[Case], timeout: float
) -> tuple[dict[int, dict[str, Outputs]], dict[int, dict[str, str]]]:
    """By case: outputs of each mode, and reasons of modes that did not answer."""
    extra = [{"modes": right_modes(case.net)} for case in cases]
    answers: dict[int, dict[str, Outputs]] = {}
    reasons: dict[int, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stored, answered = Path(folder, "cases.npz"), Path(folder, "outputs.bin")
        save(stored, cases, extra=extra)
        answered.touch()
        command = python("-m", "tests.native.lce_worker", stored, answered)
        events = run_supervised(command, timeout)
        results = read_results(events, answered, [len(c.net.outputs) for c in cases])
    for index, mode, outputs in results:
        answers.setdefault(index, {})[mode] = outputs
    for event in events:
        if event["event"] not in ("result", "summary"):
            reason = f"{event['event']}: {event['message']}"
            reasons.setdefault(event["index"], {})[event.get("mode", "?")] = reason
    return answers, reasons


def read_results(
    events: Sequence[Event], recorded: Path, outputs: Sequence[int]
) -> list[tuple[int, str, Outputs]]:
    """(case, mode, outputs by input set) of every ``result`` event of a child.

    Args:
        events: what the child printed.
        recorded: the ``.npy`` records it wrote.
        outputs: number of outputs of each case.
    """
    results = []
    with recorded.open("rb") as file:
        for event in events:
            if event["event"] == "result":
                arrays = [np.load(file) for _ in range(event["arrays"])]
                each = outputs[event["index"]]
                sets = [arrays[i : i + each] for i in range(0, len(arrays), each)]
                results.append((event["index"], event["mode"], sets))
    return results


def _verdict(case: Case, answers: dict[str, Outputs], refused: dict[str, str]) -> Verdict:
    problems = [f"LCE {mode} {reason}" for mode, reason in refused.items()]
    form = padding_form(case.net)
    for mode, outputs in answers.items():
        own_form = emulator.INTEGER if mode == REFERENCE else form
        problems += _compare(f"LCE {mode} and emulator", case, outputs, emulate(case, own_form))
    # the optimized implementations come first: where they are right, their rounding counts
    for mode in (INDIRECT, DEFAULT, REFERENCE):
        own_form = emulator.INTEGER if mode == REFERENCE else form
        if mode in answers and (own_form == form or not _has_correction(case.net)):
            return Verdict(answers[mode], mode, tuple(answers), tuple(problems))
    return Verdict(emulate(case, form), "emulator", tuple(answers), tuple(problems))


def _has_correction(net: Net) -> bool:
    return any(is_zero_padded(op) and accepts(net, op, INDIRECT) for op in net.ops)


def _compare(what: str, case: Case, a: Outputs, b: Outputs) -> list[str]:
    problems = []
    for s, (left, right) in enumerate(zip(a, b, strict=True)):
        for j, (x, y) in enumerate(zip(left, right, strict=True)):
            found = difference(x, y, case.ignores_zero_sign)
            if found:
                problems.append(f"{what} disagree, input set {s}, output {j}: {found}")
    return problems
