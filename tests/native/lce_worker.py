"""Child of :mod:`tests.native.oracle`: runs stored cases in LCE's own interpreter.

    python -m tests.native.lce_worker CASES.npz OUTPUTS.bin --start 0

For every case and every mode in its ``modes``, the outputs of all input sets are appended to
``OUTPUTS.bin`` as ``.npy`` records in the order of the printed ``result`` events.
"""

import argparse
import json

import numpy as np

from converters.runtimes.interpreters import INDIRECT, LCE, REFERENCE, import_runtime
from tests.native.replay import say


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("cases")
    parser.add_argument("outputs")
    parser.add_argument("--start", type=int, default=0)
    arguments = parser.parse_args()
    runtime = import_runtime(LCE)
    with np.load(arguments.cases) as archive:
        cases = {name: archive[name] for name in archive.files}
    meta = json.loads(cases["meta"].tobytes())
    with open(arguments.outputs, "ab") as file:
        for number in range(arguments.start, len(meta)):
            case = meta[number]
            model = cases[f"model{number}"].tobytes()
            for mode in case["modes"]:
                say(event="begin", index=number)
                try:
                    # model, threads, reference kernels, indirect kernels, XNNPACK
                    plain = mode == REFERENCE
                    interpreter = runtime.LiteInterpreter(
                        model, 1, plain, mode == INDIRECT, not plain
                    )
                except (RuntimeError, ValueError) as error:
                    say(event="refused", index=number, mode=mode, message=str(error))
                    continue
                outputs = []
                for s in range(case["sets"]):
                    names = [f"in{number}_{s}_{j}" for j in range(case["inputs"])]
                    outputs += interpreter.predict([cases[name] for name in names])
                for output in outputs:
                    np.save(file, output)
                file.flush()
                say(event="result", index=number, mode=mode, arrays=len(outputs))


if __name__ == "__main__":
    main()
