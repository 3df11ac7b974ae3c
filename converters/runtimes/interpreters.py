"""The two interpreters behind one small interface. Runs in the child only; no TensorFlow."""

import importlib.util
from importlib import metadata
from typing import Any, Protocol

from numpy.typing import NDArray

LCE, LITERT = "lce", "litert"
INDIRECT, DEFAULT, REFERENCE = "indirect", "default", "reference"
MODES = (INDIRECT, DEFAULT, REFERENCE)

_LCE_KERNELS = {
    INDIRECT: "indirect BGEMM + XNNPACK",
    DEFAULT: "BGEMM + XNNPACK",
    REFERENCE: "reference kernels",
}


class Interpreter(Protocol):
    """One loaded model."""

    def predict(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy the inputs in, run the graph once, copy every output out (raw types)."""
        ...


class _LiteRT:
    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._inputs = [d["index"] for d in interpreter.get_input_details()]
        self._outputs = [d["index"] for d in interpreter.get_output_details()]

    def predict(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        for index, value in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def import_runtime(engine: str) -> Any:
    """Import the native module of an engine; returns it.

    LCE's is loaded by its file: importing ``larq_compute_engine`` would import TensorFlow.

    Raises:
        ImportError: not installed.
    """
    if engine == LITERT:
        from ai_edge_litert import interpreter

        return interpreter
    files = metadata.files("larq-compute-engine") or []
    found = [f for f in files if f.name.startswith("interpreter_wrapper_lite.")]
    if not found:
        raise ImportError("larq-compute-engine has no interpreter_wrapper_lite module")
    # The name decides the init function that is looked up, so it must be this one.
    spec = importlib.util.spec_from_file_location("interpreter_wrapper_lite", found[0].locate())
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {found[0]}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_interpreter(
    runtime: Any, engine: str, mode: str, model: bytes, threads: int
) -> Interpreter:
    """Build an interpreter and allocate its tensors.

    ``reference`` mode uses the plain kernels everywhere, no XNNPACK. ``indirect`` and
    ``default`` differ only in LCE's ``LceBconv2d``; for LiteRT they are the same.

    Raises:
        RuntimeError, ValueError: the runtime refuses the model.
    """
    plain = mode == REFERENCE
    if engine == LCE:
        interpreter: Interpreter = runtime.LiteInterpreter(
            model, threads, plain, mode == INDIRECT, not plain
        )
        return interpreter
    resolver = runtime.OpResolverType
    built = runtime.Interpreter(
        model_content=model,
        num_threads=threads,
        experimental_op_resolver_type=resolver.BUILTIN_REF if plain else resolver.AUTO,
    )
    built.allocate_tensors()
    return _LiteRT(built)


def describe(engine: str, mode: str, threads: int) -> str:
    """What runs, for people: runtime, version, kernels."""
    if engine == LCE:
        kernels = _LCE_KERNELS[mode]
        if mode == INDIRECT and threads > 1:
            # LCE's indirect kernel has no threads, whatever the interpreter is told.
            kernels = kernels.replace("BGEMM", "BGEMM (single-threaded)")
        return f"LCE {metadata.version('larq-compute-engine')}, {kernels}"
    version = metadata.version("ai-edge-litert")
    return f"LiteRT {version}" + (", reference kernels" if mode == REFERENCE else " + XNNPACK")
