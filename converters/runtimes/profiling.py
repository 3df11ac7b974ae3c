"""Time per operator. Runs in the child only.

LiteRT's Python interface has no profiler. The delegate has: its operators are timed inside of the
whole file. Every other operator is timed as a file of its own in LiteRT alone.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.runtimes.delegate import DelegateRuntime


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        count: samples.
        warmup: runs before the first.
        threads: of the interpreter.
    """

    count: int
    warmup: int
    threads: int


def profile_delegate(
    runtime: DelegateRuntime,
    model: bytes,
    kernel: str,
    inputs: list[NDArray[Any]],
    plan: Plan,
) -> list[dict[str, Any]]:
    """The delegate's operators in a whole file, in order of execution.

    Returns:
        Per operator ``node`` (position in the file), ``fused`` (names of operators merged into it),
        ``kernel`` and ``seconds``, the median over runs.
    """
    delegate = runtime.package.load(kernel=kernel, profiling=True)
    interpreter = runtime.litert.Interpreter(
        model_content=model, num_threads=plan.threads, experimental_delegates=[delegate]
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    for _ in range(plan.warmup):
        interpreter.invoke()
    samples: dict[int, list[int]] = {}
    rows: list[dict[str, Any]] = []
    for _ in range(plan.count):
        runtime.package.reset_profile(delegate)
        interpreter.invoke()
        rows = runtime.package.profile(delegate)
        for row in rows:
            samples.setdefault(row["node"], []).append(row["total_ns"])
    return [
        {
            "node": row["node"],
            "fused": row["fused"],
            "kernel": row["kernel"],
            "seconds": 1e-9 * float(np.median(samples[row["node"]])),
        }
        for row in rows
    ]


def time_file(litert: Any, model: bytes, rng: np.random.Generator, plan: Plan) -> float:
    """Median seconds of ``invoke()`` of a file in LiteRT, on random inputs.

    Raises:
        RuntimeError, ValueError: LiteRT refuses the file.
    """
    from converters.runtimes.worker import random_input

    interpreter = litert.Interpreter(model_content=model, num_threads=plan.threads)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        shape = [int(n) for n in detail["shape"]]
        value = random_input(shape, np.dtype(detail["dtype"]).name, rng)
        interpreter.set_tensor(detail["index"], value)
    for _ in range(plan.warmup):
        interpreter.invoke()
    stamps = np.empty((plan.count, 2), np.int64)
    clock = time.perf_counter_ns
    for i in range(plan.count):
        begun = clock()
        interpreter.invoke()
        stamps[i] = begun, clock()
    return 1e-9 * float(np.median(stamps[:, 1] - stamps[:, 0]))
