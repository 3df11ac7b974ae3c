"""Time a model on this machine, and say where the time goes."""

import hashlib
import os
import platform
import time
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from lce_delegate._errors import RunError, UsageError
from lce_delegate._interpreter import Interpreter, one_line, read_model
from lce_delegate._library import info
from lce_delegate._load import as_int
from lce_delegate._runtime import runtime

AUTO = "auto"
TIMED = "invoke() only; inputs are copied in once, before"
NO_OPERATORS = "no Larq operators in this file"


@dataclass(frozen=True)
class Summary:
    """Robust summary of samples in milliseconds; ``mad`` is the median absolute deviation."""

    median_ms: float
    mad_ms: float
    p90_ms: float
    min_ms: float


def summarize(samples_ms: list[float]) -> Summary:
    """Summary of at least one sample."""
    values = np.asarray(samples_ms, np.float64)
    median = float(np.median(values))
    return Summary(
        median_ms=median,
        mad_ms=float(np.median(np.abs(values - median))),
        p90_ms=float(np.percentile(values, 90)),
        min_ms=float(values.min()),
    )


def random_input(detail: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    """Values for one input: standard normal, or over the whole range of integers.

    Args:
        detail: an entry of ``get_input_details()``.
        rng: generator the values are drawn from.

    Raises:
        UsageError: an input that does not hold numbers.
    """
    shape, dtype = tuple(int(n) for n in detail["shape"]), np.dtype(detail["dtype"])
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    raise UsageError(f"input {detail['name']!r} is of type {dtype}: only numbers can be made up")


def set_inputs(interpreter: Interpreter, values: list[NDArray[Any]]) -> None:
    """Copy one array per input in."""
    for detail, value in zip(interpreter.get_input_details(), values):
        interpreter.set_tensor(detail["index"], value)


def invoke(interpreter: Interpreter) -> None:
    """Run once.

    Raises:
        RunError: the runtime failed.
    """
    try:
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise RunError(f"the run failed: {one_line(error)}") from error


def bench(
    path: "str | os.PathLike[str]",
    *,
    num_threads: int = 1,
    num_runs: int = 50,
    warmup_runs: int = 10,
    seed: int = 0,
    profiled: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Time a model on random inputs.

    Args:
        path: a ``.tflite`` file.
        num_threads: of the interpreter and the delegate, 1 to 32.
        num_runs: samples, at least 1.
        warmup_runs: runs before the first sample, at least 0.
        seed: of the inputs, at least 0.
        profiled: also run a second interpreter, as often, that measures each operator. The
            samples are taken without that.
        **options: ``kernel``, ``fusion``, ``exactness`` as in :func:`lce_delegate.load`.

    Returns:
        What ``python -m lce_delegate bench --json`` writes; see ``native/README.md``.

    Raises:
        UsageError: a bad argument or file.
        RunError: the runtime refused the model or failed.
    """
    for name, value, least in (
        ("num_runs", num_runs, 1),
        ("warmup_runs", warmup_runs, 0),
        ("seed", seed, 0),
    ):
        number = as_int(value)
        if number is None or number < least:
            raise UsageError(f"{name} must be an integer of at least {least}, got {value!r}")
    content = read_model(path)
    interpreter = Interpreter.of_content(content, path, num_threads, **options)
    kernel = kernel_name(interpreter, path, options.get("kernel", AUTO))
    details = interpreter.get_input_details()
    rng = np.random.default_rng(seed)
    inputs = [random_input(detail, rng) for detail in details]
    samples = _samples(interpreter, inputs, num_runs, warmup_runs)
    result = {
        "model": os.fspath(path),
        "sha256": hashlib.sha256(content).hexdigest(),
        "runtime": {"name": runtime().name, "version": runtime().version},
        "delegate": info()["version"],
        "kernel": kernel,
        "fusion": options.get("fusion", True),
        "exactness": options.get("exactness", "lce"),
        "threads": int(num_threads),
        "machine": platform.machine(),
        "runs": int(num_runs),
        "warmup": int(warmup_runs),
        "seed": int(seed),
        "timed": TIMED,
        **vars(summarize(samples)),
        "samples_ms": samples,
        "profile": None,
    }
    if profiled:
        del interpreter  # give its memory back first
        second = Interpreter.of_content(content, path, num_threads, profiling=True, **options)
        set_inputs(second, inputs)
        for _ in range(warmup_runs):
            invoke(second)
        second.reset_profile()
        mean_ms = float(np.mean(_samples(second, inputs, num_runs, 0)))
        result["profile"] = profile_table(second.profile(), mean_ms)
    return result


def _samples(
    interpreter: Interpreter, inputs: list[NDArray[Any]], num_runs: int, warmup_runs: int
) -> list[float]:
    set_inputs(interpreter, inputs)
    for _ in range(warmup_runs):
        invoke(interpreter)
    samples = []
    for _ in range(num_runs):
        begun = time.perf_counter_ns()
        invoke(interpreter)
        samples.append(1e-6 * (time.perf_counter_ns() - begun))
    return samples


def kernel_name(
    interpreter: Interpreter, path: "str | os.PathLike[str]", asked: str
) -> Optional[str]:
    """Kernel sets that a model's operators really use, the most frequent first.

    Args:
        interpreter: allocated.
        path: names the file.
        asked: the option.

    Returns:
        For example ``"avx512"`` or ``"avx2 and scalar"``; None if the delegate runs nothing.

    Raises:
        UsageError: it runs nothing, but a kernel set was asked for.
    """
    sets = [str(row["kernel"]).rpartition("_")[2] for row in interpreter.profile()]
    if not sets and asked != AUTO:
        raise UsageError(f"kernel {asked!r} is for Larq operators: {path}: {NO_OPERATORS}")
    ordered = sorted(dict.fromkeys(sets), key=lambda name: -sets.count(name))
    return " and ".join(ordered) or None


def profile_table(rows: list[dict[str, Any]], mean_ms: float) -> list[dict[str, Any]]:
    """Time per run and operator, in order of execution, and a last row for all others.

    Args:
        rows: of :func:`lce_delegate.profile`.
        mean_ms: mean time of the profiled runs.

    Returns:
        Rows with ``node``, ``op``, ``kernel``, ``output_shape``, ``fused``, ``mean_ms``,
        ``min_ms``, ``share`` (of ``mean_ms``, 0..1), and ``gmac_per_s`` (10^9 binary
        multiply-accumulates per second at ``min_ms``) where the operator has any. A run that
        the system interrupts makes means larger, not minima. The last row is what the runtime
        itself and the operators it kept took.
    """
    table = []
    for row in rows:
        calls = row["calls"]
        mean_ns = row["total_ns"] / calls if calls else 0.0
        macs = row["binary_macs"]
        table.append(
            {
                "node": row["node"],
                "op": row["op"],
                "kernel": row["kernel"],
                "output_shape": row["output_shape"],
                "fused": row["fused"],
                "mean_ms": 1e-6 * mean_ns,
                "min_ms": 1e-6 * row["min_ns"],
                "share": 1e-6 * mean_ns / mean_ms,
                "gmac_per_s": macs / row["min_ns"] if macs and row["min_ns"] else None,
            }
        )
    rest = mean_ms - sum(row["mean_ms"] for row in table)
    table.append(
        {
            "node": None,
            "op": "other operators (runtime)",
            "kernel": None,
            "output_shape": None,
            "fused": [],
            "mean_ms": rest,
            "min_ms": None,
            "share": rest / mean_ms,
            "gmac_per_s": None,
        }
    )
    return table
