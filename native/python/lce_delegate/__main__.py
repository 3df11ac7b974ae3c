"""``python -m lce_delegate info|run|bench``.

Results on stdout, errors on stderr in one line. Status: 0 done, 1 the runtime failed, 2 usage or
unreadable input.
"""

import argparse
import math
import os
import sys
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from lce_delegate import __version__, _bench
from lce_delegate._errors import RunError, UsageError
from lce_delegate._files import check_writable, json_text, read_npy, write_json, write_npy
from lce_delegate._interpreter import Interpreter
from lce_delegate._library import info, library_path
from lce_delegate._load import EXACTNESS, MAX_THREADS
from lce_delegate._runtime import runtime

TOP = 5  # values shown per output


def main(arguments: Optional[list[str]] = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.json != "-":
            check_writable("--json", options.json)
        options.run(options)
        sys.stdout.flush()
    except UsageError as error:
        return _fail(error, 2)
    except RunError as error:
        return _fail(error, 1)
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _fail(Exception("interrupted"), 130)
    return 0


def _fail(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lce_delegate",
        description="Larq Compute Engine operators in stock LiteRT.",
    )
    parser.add_argument("--version", action="version", version=f"lce_delegate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("info", help="what the library and this CPU can do")
    _add_json(command)
    command.set_defaults(run=_info)

    command = commands.add_parser("run", help="run a model once and show its outputs")
    command.add_argument("model", metavar="MODEL", help=".tflite file")
    command.add_argument(
        "--input", action="append", metavar="FILE.npy", help="one per input, in the model's order "
        "(default: random, see --seed)",
    )  # fmt: skip
    command.add_argument(
        "--output", action="append", metavar="FILE.npy", help="one per output, in the model's order"
    )
    _add_options(command)
    _add_json(command)
    command.set_defaults(run=_run)

    command = commands.add_parser("bench", help="time a model on random inputs")
    command.add_argument("model", metavar="MODEL", help=".tflite file")
    command.add_argument("--runs", type=int, default=50, help="samples (default: %(default)s)")
    command.add_argument(
        "--warmup", type=int, default=10, help="runs before the first (default: %(default)s)"
    )
    command.add_argument("--profile", action="store_true", help="also time each operator")
    _add_options(command)
    _add_json(command)
    command.set_defaults(run=_bench_command)
    return parser


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write JSON to FILE; - or none: stdout"
    )


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--threads", type=int, default=1, help=f"1 to {MAX_THREADS} (default: %(default)s)"
    )
    command.add_argument("--kernel", default="auto", help="kernel set (default: %(default)s)")
    command.add_argument("--no-fusion", action="store_true", help="merge no operators")
    command.add_argument(
        "--exactness", choices=EXACTNESS, default="lce", help="default: %(default)s"
    )
    command.add_argument("--seed", type=int, default=0, help="of random inputs")


def _delegate_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "kernel": options.kernel,
        "fusion": not options.no_fusion,
        "exactness": options.exactness,
    }


def _info(options: argparse.Namespace) -> None:
    result = info()
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
        state = "selected" if kernel_set.get("selected") else "available"
        if not kernel_set.get("supported"):
            state = "not supported by this CPU"
        print(f"kernels      {kernel_set['name']:<8} {state}")
    if os.environ.get("LCE_FORCE_KERNEL"):
        print(f"             LCE_FORCE_KERNEL={os.environ['LCE_FORCE_KERNEL']} overrides that")


def _run(options: argparse.Namespace) -> None:
    if options.seed < 0:
        raise UsageError(f"seed must be at least 0, got {options.seed}")
    interpreter = Interpreter(options.model, options.threads, **_delegate_options(options))
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
    for path in options.output or []:
        check_writable("--output", path)
    _bench.set_inputs(interpreter, inputs)
    _bench.invoke(interpreter)
    values = [interpreter.get_tensor(detail["index"]) for detail in outputs]
    for path, value in zip(options.output or [], values):
        write_npy(path, value)
    result = {
        "model": options.model,
        "runtime": {"name": runtime().name, "version": runtime().version},
        "kernel": _bench.kernel_name(info(), options.kernel),
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
    return (
        f"{found['name']} {found['version']}, lce_delegate kernels: {result['kernel']}, "
        f"threads: {result['threads']}"
    )


def _print_profile(table: list[dict[str, Any]]) -> None:
    print()
    print(f"{'node':>5} {'mean ms':>9} {'min ms':>9} {'share':>6} {'GMAC/s':>7}  operator")
    for row in table:
        node = "" if row["node"] is None else row["node"]
        least = "" if row["min_ms"] is None else f"{row['min_ms']:.4f}"
        speed = "" if row["gmac_per_s"] is None else f"{row['gmac_per_s']:.1f}"
        text = " + ".join([row["op"], *row["fused"]])
        if row["output_shape"] is not None:
            text += f" {'x'.join(str(n) for n in row['output_shape'])} {row['kernel']}"
        print(f"{node:>5} {row['mean_ms']:9.4f} {least:>9} {row['share']:6.1%} {speed:>7}  {text}")
    print("means of as many further runs, in which operators were timed; binary GMAC/s")


def _write_json(path: Optional[str], result: dict[str, Any]) -> bool:
    """Write where ``--json`` says; whether that was stdout, which then holds nothing else."""
    if path is None:
        return False
    if path == "-":
        sys.stdout.write(json_text(result))
        return True
    write_json(path, result)
    return False


if __name__ == "__main__":
    sys.exit(main())
