"""Replay stored cases in a stock TensorFlow Lite runtime with the delegate; needs NumPy only.

    python replay.py CASES.npz --library liblce_delegate.so [--kernel auto] [--threads 1,2]
        [--fusion 1,0] [--exactness lce] [--record FILE] [--runtime ai_edge_litert.interpreter]

``CASES.npz`` comes from ``python -m tests.native.conformance --export``. Every case runs with
every combination of options; its inputs are run as A, B, A in one interpreter, so that anything
left over from an earlier run is seen (inputs of another shape are resized to). Outputs must have
the stored shape, type and bits. With ``--record`` nothing is compared: outputs are appended to
``FILE`` as ``.npy`` records in the order of the printed ``result`` events. Prints one JSON object
per line; the last one is the summary. Exit status 0 also if cases fail.
"""

import argparse
import contextlib
import importlib
import importlib.util
import itertools
import json
import sys
from typing import Any

import numpy as np

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def import_runtime(name: str) -> Any:
    """The named runtime, or the first one that is installed.

    Raises:
        ImportError: none is.
    """
    for module in [name] if name else RUNTIMES:
        if name or importlib.util.find_spec(module.partition(".")[0]):
            return importlib.import_module(module)
    raise ImportError(f"none of {', '.join(RUNTIMES)} is installed")


def difference(got: Any, expected: Any, ignores_zero_sign: bool) -> str:
    """What differs in bits, or an empty text. Any NaN equals any NaN."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"{got.dtype}{got.shape} instead of {expected.dtype}{expected.shape}"
    if got.dtype == np.float32:
        wrong = got.view(np.uint32) != expected.view(np.uint32)
        wrong &= ~(np.isnan(got) & np.isnan(expected))
        if ignores_zero_sign:
            wrong &= ~((got == 0) & (expected == 0))
    else:
        wrong = got != expected
    if not wrong.any():
        return ""
    places = np.argwhere(wrong)
    first = tuple(int(n) for n in places[0])
    return (
        f"{len(places)} of {got.size} values differ, first at {first}: "
        f"{got[first]!r} instead of {expected[first]!r}"
    )


def outputs_of(interpreter: Any, inputs: list[Any]) -> list[Any]:
    """Set inputs, resizing where the shape is another, run, return outputs."""
    details = interpreter.get_input_details()
    wanted = [
        (d["index"], v)
        for d, v in zip(details, inputs, strict=True)
        if tuple(d["shape"]) != v.shape
    ]
    for index, value in wanted:
        interpreter.resize_tensor_input(index, value.shape)
    if wanted:
        interpreter.allocate_tensors()
    for detail, value in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def compare_case(interpreter: Any, cases: Any, number: int, case: dict[str, Any]) -> str:
    """Run one case on all its inputs; what is wrong, or an empty text."""
    for repeat, chosen in enumerate([*range(case["sets"]), 0]):
        inputs = [cases[f"in{number}_{chosen}_{j}"] for j in range(case["inputs"])]
        for j, got in enumerate(outputs_of(interpreter, inputs)):
            expected = cases[f"out{number}_{chosen}_{j}"]
            found = difference(got, expected, case["ignores_zero_sign"])
            if found:
                return f"run {repeat}, output {j}: {found}"
    return ""


def record_case(interpreter: Any, cases: Any, number: int, case: dict[str, Any], file: Any) -> int:
    """Run one case on all its inputs and append the outputs to ``file``; returns how many."""
    outputs = []
    for s in range(case["sets"]):
        inputs = [cases[f"in{number}_{s}_{j}"] for j in range(case["inputs"])]
        outputs += outputs_of(interpreter, inputs)
    for output in outputs:
        np.save(file, output)
    file.flush()
    return len(outputs)


def say(**event: Any) -> None:
    """Print an event at once, so that it is seen if the next step crashes."""
    print(json.dumps(event), flush=True)


def main() -> int:
    """Parse and replay."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases")
    parser.add_argument("--library", required=True)
    parser.add_argument("--kernel", default="auto")
    parser.add_argument("--threads", default="1", help="list, e.g. 1,2")
    parser.add_argument("--fusion", default="1", help="list of 0 and 1")
    parser.add_argument("--exactness", default="lce")
    parser.add_argument("--record", default="", help="file for outputs; nothing is compared")
    parser.add_argument("--runtime", default="", help="module with Interpreter and load_delegate")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    arguments = parser.parse_args()
    runtime = import_runtime(arguments.runtime)
    with np.load(arguments.cases) as archive:
        cases = {name: archive[name] for name in archive.files}
    meta = json.loads(cases["meta"].tobytes())
    fusions = arguments.fusion.split(",")
    options = {"kernel": arguments.kernel, "exactness": arguments.exactness}
    delegates = {
        fusion: runtime.load_delegate(arguments.library, {**options, "fusion": fusion})
        for fusion in fusions
    }
    threads = [int(n) for n in arguments.threads.split(",")]
    runs = failures = 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(arguments.record, "ab")) if arguments.record else None
        for number in range(arguments.start, len(meta)):
            case = meta[number]
            say(event="begin", index=number)
            for fusion, count in itertools.product(fusions, threads):
                runs += 1
                stage, found = "load", ""
                try:
                    interpreter = runtime.Interpreter(
                        model_content=cases[f"model{number}"].tobytes(),
                        num_threads=count,
                        experimental_delegates=[delegates[fusion]],
                    )
                    interpreter.allocate_tensors()
                    stage = "run"
                    if file:
                        arrays = record_case(interpreter, cases, number, case, file)
                        say(event="result", index=number, mode="delegate", arrays=arrays)
                    else:
                        found = compare_case(interpreter, cases, number, case)
                except (RuntimeError, ValueError) as error:
                    found = f"{type(error).__name__}: {' | '.join(str(error).splitlines())}"
                if found:
                    failures += 1
                    chosen = f"kernel {arguments.kernel}, fusion {fusion}, threads {count}"
                    say(event="failure", index=number, stage=stage, options=chosen, message=found)
    say(event="summary", cases=len(meta) - arguments.start, runs=runs, failures=failures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
