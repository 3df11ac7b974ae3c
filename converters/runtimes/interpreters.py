"""The two interpreters behind one small interface. Runs in the child only; no TensorFlow."""

import importlib.util
from collections.abc import Sequence
from importlib import metadata
from typing import Any, Protocol

from numpy.typing import NDArray

LCE, LITERT = "lce", "litert"
INDIRECT, DEFAULT, REFERENCE = "indirect", "default", "reference"
MODES = (INDIRECT, DEFAULT, REFERENCE)

_LCE_KERNELS = {INDIRECT: "indirect BGEMM", DEFAULT: "BGEMM", REFERENCE: "reference kernels"}
# What both runtimes print when they apply the delegate to a graph.
_XNNPACK_CREATED = "Created TensorFlow Lite XNNPACK delegate"


class Interpreter(Protocol):
    """One loaded model."""

    def predict(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy the inputs in, run the graph once, copy every output out (raw types)."""
        ...

    @property
    def delegates(self) -> bool | None:
        """Whether a delegate runs part of the graph; None where the runtime does not tell."""
        ...


class _LCE:
    delegates = None

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter

    def predict(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = self._interpreter.predict(inputs)
        return outputs


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

    @property
    def delegates(self) -> bool | None:
        try:
            return any(d["op_name"] == "DELEGATE" for d in self._interpreter._get_ops_details())
        except (AttributeError, KeyError):  # not a public interface
            return None


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
        return _LCE(runtime.LiteInterpreter(model, threads, plain, mode == INDIRECT, not plain))
    resolver = runtime.OpResolverType
    built = runtime.Interpreter(
        model_content=model,
        num_threads=threads,
        experimental_op_resolver_type=resolver.BUILTIN_REF if plain else resolver.AUTO,
    )
    built.allocate_tensors()
    return _LiteRT(built)


def describe(
    engine: str, mode: str, threads: int, delegates: bool | None, printed: Sequence[str]
) -> str:
    """What runs, for people: runtime, version, kernels.

    Binary kernels are those asked for: LCE refuses a model rather than use others.
    XNNPACK is what was seen: ``+ XNNPACK`` if the runtime lists a delegate's operator, or,
    where it lists none (LCE), printed that it created the delegate; LCE does not say how many
    operators that took over. ``XNNPACK requested`` if neither was seen.

    Args:
        engine: ``"lce"`` or ``"litert"``.
        mode: kernels asked for.
        threads: of the interpreter.
        delegates: see :attr:`Interpreter.delegates`.
        printed: lines the process has printed.
    """
    if engine == LCE:
        kernels = _LCE_KERNELS[mode]
        if mode == INDIRECT and threads > 1:
            # LCE's indirect kernel has no threads, whatever the interpreter is told.
            kernels += " (single-threaded)"
        text = f"LCE {metadata.version('larq-compute-engine')}, {kernels}"
    else:
        text = f"LiteRT {metadata.version('ai-edge-litert')}"
        text += ", reference kernels" if mode == REFERENCE else ""
    if mode == REFERENCE and not delegates:
        return text
    if delegates is None:
        delegates = any(_XNNPACK_CREATED in line for line in printed)
    return f"{text} + XNNPACK" if delegates else f"{text}, XNNPACK requested"
