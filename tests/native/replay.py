"""Replay stored cases in a stock TensorFlow Lite runtime with the delegate; needs NumPy only.

    python replay.py CASES.npz --library liblce_delegate.so [--kernel auto] [--threads 1,2]
        [--fusion 1,0] [--runtime ai_edge_litert.interpreter]

``CASES.npz`` comes from ``python -m tests.native.conformance --export``. Every case runs with
every combination of options; its inputs are run as A, B, A in one interpreter, so that anything
left over from an earlier run is seen. Outputs must have the stored shape, type and bits. Prints
one JSON object per line; the last one is the summary. Exit status 0 also if cases fail.
"""

import argparse
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


def run_case(
    runtime: Any, delegate: Any, threads: int, cases: Any, number: int, case: dict[str, Any]
) -> str:
    """Run one case; what is wrong, or an empty text."""
    interpreter = runtime.Interpreter(
        model_content=cases[f"model{number}"].tobytes(),
        num_threads=threads,
        experimental_delegates=[delegate],
    )
    interpreter.allocate_tensors()
    sources = [d["index"] for d in interpreter.get_input_details()]
    targets = [d["index"] for d in interpreter.get_output_details()]
    for repeat, inputs in enumerate([*range(case["sets"]), 0]):
        for j, index in enumerate(sources):
            interpreter.set_tensor(index, cases[f"in{number}_{inputs}_{j}"])
        interpreter.invoke()
        for j, index in enumerate(targets):
            expected = cases[f"out{number}_{inputs}_{j}"]
            found = difference(interpreter.get_tensor(index), expected, case["ignores_zero_sign"])
            if found:
                return f"run {repeat}, output {j}: {found}"
    return ""


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
    parser.add_argument("--runtime", default="", help="module with Interpreter and load_delegate")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    arguments = parser.parse_args()
    runtime = import_runtime(arguments.runtime)
    with np.load(arguments.cases) as archive:
        cases = {name: archive[name] for name in archive.files}
    meta = json.loads(cases["meta"].tobytes())
    fusions = arguments.fusion.split(",")
    delegates = {
        fusion: runtime.load_delegate(
            arguments.library, {"kernel": arguments.kernel, "fusion": fusion}
        )
        for fusion in fusions
    }
    threads = [int(n) for n in arguments.threads.split(",")]
    runs = failures = 0
    for number in range(arguments.start, len(meta)):
        case = meta[number]
        say(event="begin", index=number)
        for fusion, count in itertools.product(fusions, threads):
            runs += 1
            try:
                found = run_case(runtime, delegates[fusion], count, cases, number, case)
            except (RuntimeError, ValueError) as error:
                found = f"{type(error).__name__}: {' | '.join(str(error).splitlines())}"
            if found:
                failures += 1
                options = f"kernel {arguments.kernel}, fusion {fusion}, threads {count}"
                say(event="failure", index=number, options=options, message=found)
    say(event="summary", cases=len(meta) - arguments.start, runs=runs, failures=failures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
