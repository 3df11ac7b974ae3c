"""The child that loads and runs files: ``python -m tests.fuzz.runner``.

Reads ``<length, engine>`` and a file from stdin, answers one line: ``ok`` or ``refused: why``.
"""

import os
import resource
import struct
import sys
from typing import Any

import numpy as np

from converters.runtimes.delegate import DELEGATE, import_delegate
from converters.runtimes.interpreters import LCE, import_runtime
from converters.runtimes.worker import pad_content

ENGINES = ("default", "plain", "reference", "delegate", "lce-default", "lce-indirect",
           "lce-reference")  # fmt: skip
MEMORY_BYTES = 6 << 30


class Runner:
    """The runtimes, and random inputs."""

    def __init__(self) -> None:
        self._delegate = import_delegate()
        self._litert = self._delegate.litert
        self._lce = import_runtime(LCE)
        self._rng = np.random.default_rng(0)

    def run(self, model: bytes, engine: str) -> None:
        """Load and run a file twice.

        Raises:
            RuntimeError, ValueError: refused.
        """
        content = pad_content(model)
        if engine.startswith("lce-"):
            self._run_lce(content, engine)
            return
        kinds = self._litert.OpResolverType
        if engine == DELEGATE:
            options: dict[str, Any] = {"experimental_delegates": [self._delegate.package.load()]}
        else:
            resolver = {
                "default": kinds.AUTO,
                "plain": kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
                "reference": kinds.BUILTIN_REF,
            }[engine]
            options = {"experimental_op_resolver_type": resolver}
        interpreter = self._litert.Interpreter(model_content=content, num_threads=1, **options)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], self._input(detail["shape"], detail["dtype"]))
        interpreter.invoke()
        interpreter.invoke()
        for detail in interpreter.get_output_details():
            interpreter.get_tensor(detail["index"])

    def _run_lce(self, content: bytes, engine: str) -> None:
        plain = engine == "lce-reference"
        interpreter = self._lce.LiteInterpreter(
            content, 1, plain, engine == "lce-indirect", not plain
        )
        inputs = [
            self._input(shape, dtype)
            for shape, dtype in zip(interpreter.input_shapes, interpreter.input_types, strict=True)
        ]
        interpreter.predict(inputs)
        interpreter.predict(inputs)

    def _input(self, shape: Any, dtype: Any) -> Any:
        kind = np.dtype(dtype)
        if kind.kind == "f":
            return self._rng.standard_normal(tuple(shape)).astype(kind)
        if kind.kind == "b":
            return self._rng.random(tuple(shape)) < 0.5
        limits = np.iinfo(kind)
        return self._rng.integers(limits.min, limits.max, tuple(shape), kind, endpoint=True)


def main() -> None:
    """Answer until stdin ends."""
    replies = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    if "IRNET_FUZZ_LOG" not in os.environ:
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    runner = Runner()
    replies.write("ready\n")
    replies.flush()
    while header := sys.stdin.buffer.read(5):
        length, engine = struct.unpack("<IB", header)
        model = sys.stdin.buffer.read(length)
        try:
            runner.run(model, ENGINES[engine])
            answer = "ok"
        except Exception as error:  # noqa: BLE001  (a refusal is an answer, a crash is none)
            answer = f"refused: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        replies.write(answer + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
