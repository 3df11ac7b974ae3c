"""``python -m lce_delegate info|run|predict|bench``.

Results on stdout, errors on stderr in one line. Status: 0 done, 2 usage, unreadable input or a
model that the runtime refuses, 130 interrupted.
"""

import argparse
import math
import os
import sys
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from lce_delegate import _bench
from lce_delegate._arguments import parser
from lce_delegate._errors import LceDelegateError, UsageError
from lce_delegate._files import STDOUT, check_outputs, json_text, read_npy, write_json, write_npy
from lce_delegate._interpreter import Interpreter
from lce_delegate._library import info, library_path
from lce_delegate._load import supported_kernels
from lce_delegate._runtime import runtime

TOP = 5  # values shown per output
FORCED = "LCE_FORCE_KERNEL"
# Times the minimum above which a mean is marked: something else had the core in between.
DISTURBED = 2


def main(arguments: Optional[list[str]] = None) -> int:
    """Run one command; returns the exit status."""
    if sys.stdout is None:
        return _fail("cannot write to stdout: it is closed", 2)
    try:
        status = _command(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        _discard_stdout()
        return 1
    except OSError as error:  # files raise UsageError
        _discard_stdout()
        return _fail(f"cannot write to stdout: {error.strerror}", 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _command(arguments: Optional[list[str]]) -> int:
    try:
        options = parser().parse_args(arguments)
        commands = {"info": _info, "run": _run, "predict": _predict, "bench": _bench_command}
        commands[options.command](options)
    except LceDelegateError as error:
        return _fail(str(error), 2)
    except SystemExit as done:  # --help, --version
        return int(done.code or 0)
    return 0


def _discard_stdout() -> None:
    """Keep what is still buffered from failing once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int) -> int:
    if sys.stderr is not None:
        print(f"error: {message}", file=sys.stderr)
    return status


def _delegate_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "kernel": options.kernel,
        "fusion": not options.no_fusion,
        "exactness": options.exactness,
    }


def _info(options: argparse.Namespace) -> None:
    _check_files(options)
    result = info()
    forced = result["forced_kernel"] = os.environ.get(FORCED) or None
    result["library"] = library_path()
    try:
        result["runtime"] = {"name": runtime().name, "version": runtime().version}
    except UsageError as error:
        result["runtime"] = None
        print(f"warning: {error}", file=sys.stderr)
    if _write_json(options.json, result):
        return
    found = result["runtime"]
    print(f"lce_delegate {result['version']} at {result['library']}")
    print(f"runtime      {found['name']} {found['version']}" if found else "runtime      none")
    print(f"CPU          {result['architecture']} {result['cpu_features']}".rstrip())
    for kernel_set in result["kernel_sets"]:
        state = "selected" if kernel_set["selected"] else "available"
        if not kernel_set["supported"]:
            state = "not supported by this CPU"
        elif kernel_set["name"] == forced:
            state = f"selected by {FORCED}"
        print(f"kernels      {kernel_set['name']:<8} {state}")
    if forced not in (None, _bench.AUTO, *supported_kernels()):
        print(
            f"             {FORCED}={forced} is not a kernel set of this machine: run and bench "
            "will fail"
        )


def _check_files(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written or would be read as well, before any work."""
    outputs = [("--json", options.json)] if options.json is not None else []
    inputs = [("MODEL", options.model)] if "model" in options else []
    if "output" in options:
        outputs += [("--output", path) for path in options.output or []]
        inputs += [("--input", path) for path in options.input or []]
    check_outputs(outputs, inputs)


def _run(options: argparse.Namespace) -> None:
    _check_files(options)
    interpreter = Interpreter(options.model, options.threads, **_delegate_options(options))
    kernel = _bench.kernel_name(interpreter, options.model, options.kernel)
    details = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    if options.input:
        inputs = _given_inputs(options.input, details)
    else:
        rng = np.random.default_rng(options.seed)
        inputs = [_bench.random_input(detail, rng) for detail in details]
    if options.output and len(options.output) != len(outputs):
        raise UsageError(
            f"--output must be given once per output: {len(outputs)}, got {len(options.output)}"
        )
    _bench.set_inputs(interpreter, inputs)
    _bench.invoke(interpreter)
    values = [interpreter.get_tensor(detail["index"]) for detail in outputs]
    for path, value in zip(options.output or [], values):
        write_npy(path, value)
    result = {
        "model": options.model,
        "runtime": {"name": runtime().name, "version": runtime().version},
        "kernel": kernel,
        "threads": options.threads,
        "inputs": options.input or f"random, seed {options.seed}",
        "outputs": [
            {
                "name": detail["name"],
                "shape": list(value.shape),
                "dtype": str(value.dtype),
                "top": _top(value),
            }
            for detail, value in zip(outputs, values)
        ],
    }
    if _write_json(options.json, result):
        return
    for output in result["outputs"]:
        shape = "x".join(str(n) for n in output["shape"])
        print(f"{output['name']}: {output['dtype']} {shape}, largest values")
        for entry in output["top"]:
            print(f"  {_index(entry['index']):>12}  {_text(entry['value'])}")
    print(_engine(result))


def _predict(options: argparse.Namespace) -> None:
    outputs = [("--output", options.output)]
    if options.json is not None:
        outputs.append(("--json", options.json))
    check_outputs(outputs, [("MODEL", options.model), ("--input", options.input)])
    interpreter = Interpreter(options.model, options.threads, **_delegate_options(options))
    details = interpreter.get_input_details()
    if len(details) != 1:
        raise UsageError(f"{options.model} must have one input, it has {len(details)}")
    values = read_npy(options.input)
    shape, dtype = tuple(int(n) for n in details[0]["shape"]), np.dtype(details[0]["dtype"])
    if values.shape[1:] != shape[1:] or shape[:1] != (1,) or values.dtype != dtype:
        raise UsageError(
            f"--input {options.input} must be {dtype} of shape {('n', *shape[1:])}, got "
            f"{values.dtype} of shape {values.shape}"
        )
    if not len(values):
        raise UsageError(f"--input {options.input} is empty")
    first = interpreter.get_output_details()[0]["index"]
    answers = []
    for value in values:
        _bench.set_inputs(interpreter, [np.ascontiguousarray(value)[None]])
        _bench.invoke(interpreter)
        answers.append(interpreter.get_tensor(first)[0])
    write_npy(options.output, np.stack(answers))
    result = {
        "model": options.model,
        "runtime": {"name": runtime().name, "version": runtime().version},
        "kernel": _bench.kernel_name(interpreter, options.model, options.kernel),
        "threads": options.threads,
        "count": len(answers),
    }
    if not _write_json(options.json, result):
        print(f"{len(answers)} inputs; {_engine(result)}")


def _given_inputs(paths: list[str], details: list[dict[str, Any]]) -> list[NDArray[Any]]:
    if len(paths) != len(details):
        raise UsageError(f"--input must be given once per input: {len(details)}, got {len(paths)}")
    values = []
    for path, detail in zip(paths, details):
        value = read_npy(path)
        shape, dtype = tuple(int(n) for n in detail["shape"]), np.dtype(detail["dtype"])
        if value.shape != shape or value.dtype != dtype:
            raise UsageError(
                f"--input {path} must be {dtype} of shape {shape} for {detail['name']!r}, "
                f"got {value.dtype} of shape {value.shape}"
            )
        values.append(np.ascontiguousarray(value).reshape(shape))
    return values


def _top(values: NDArray[Any]) -> list[dict[str, Any]]:
    """The largest values, descending, with their indices; numbers that are none come last."""
    if not values.size or values.dtype.kind not in "fiub":
        return []
    flat = values.reshape(-1)
    keys = np.where(np.isnan(flat), -np.inf, flat) if flat.dtype.kind == "f" else flat
    largest = np.argsort(-keys.astype(np.float64), kind="stable")[:TOP]
    return [
        {
            "index": [int(n) for n in np.unravel_index(i, values.shape)],
            "value": _number(flat[i].item()),
        }
        for i in largest
    ]


def _number(value: Any) -> Any:
    """A value that JSON has: infinities and NaN become text."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _index(index: list[int]) -> str:
    return "[" + ", ".join(str(i) for i in index) + "]"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _bench_command(options: argparse.Namespace) -> None:
    _check_files(options)
    result = _bench.bench(
        options.model,
        num_threads=options.threads,
        num_runs=options.runs,
        warmup_runs=options.warmup,
        seed=options.seed,
        profiled=options.profile,
        **_delegate_options(options),
    )
    if _write_json(options.json, result):
        return
    print(
        f"{options.model}: median {result['median_ms']:.3f} ms, MAD {result['mad_ms']:.3f}, "
        f"90th percentile {result['p90_ms']:.3f}, minimum {result['min_ms']:.3f}"
    )
    print(f"{options.runs} runs after {options.warmup}; timed: {result['timed']}")
    print(_engine(result))
    if result["profile"] is not None:
        _print_profile(result["profile"])


def _engine(result: dict[str, Any]) -> str:
    found = result["runtime"]
    kernels = _bench.NO_OPERATORS
    if result["kernel"] is not None:
        kernels = f"lce_delegate kernels: {result['kernel']}"
    return f"{found['name']} {found['version']}, {kernels}, threads: {result['threads']}"


def _print_profile(table: list[dict[str, Any]]) -> None:
    print()
    print(f"{'node':>5} {'mean ms':>9} {'min ms':>9} {'share':>6} {'GMAC/s':>7}  operator")
    marked = False
    for row in table:
        node = "" if row["node"] is None else row["node"]
        least = "" if row["min_ms"] is None else f"{row['min_ms']:.4f}"
        speed = "" if row["gmac_per_s"] is None else f"{row['gmac_per_s']:.1f}"
        disturbed = row["min_ms"] is not None and row["mean_ms"] > DISTURBED * row["min_ms"]
        mark = "*" if disturbed else " "
        marked = marked or disturbed
        text = " + ".join([row["op"], *row["fused"]])
        if row["output_shape"] is not None:
            text += f" {'x'.join(str(n) for n in row['output_shape'])} {row['kernel']}"
        times = f"{row['mean_ms']:9.4f}{mark}{least:>9}"
        print(f"{node:>5} {times} {row['share']:6.1%} {speed:>7}  {text}")
    print(
        "of as many further runs, in which operators were timed; share: of means; GMAC/s: binary, "
        "at the minimum"
    )
    if marked:
        print(f"*: mean above {DISTURBED} times the minimum: something else had the core meanwhile")


def _write_json(path: Optional[str], result: dict[str, Any]) -> bool:
    """Write where ``--json`` says; whether that was stdout, which then holds nothing else."""
    if path is None:
        return False
    if path == STDOUT:
        sys.stdout.write(json_text(result))
        return True
    write_json(path, result)
    return False
