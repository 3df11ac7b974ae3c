"""The interpreters behind one small interface. Runs in the child only; no TensorFlow."""

import importlib.util
from collections.abc import Sequence
from importlib import metadata
from typing import Any, Protocol

from numpy.typing import NDArray

from converters.runtimes.delegate import (
    DELEGATE,
    DelegateRuntime,
    another_delegate,
    delegate_share,
    delegated_interpreter,
    import_delegate,
)

LCE, LITERT = "lce", "litert"
INDIRECT, DEFAULT, REFERENCE = "indirect", "default", "reference"
MODES = (INDIRECT, DEFAULT, REFERENCE)  # of LCE; the delegate's only mode has its name

_LCE_KERNELS = {INDIRECT: "indirect BGEMM", DEFAULT: "BGEMM", REFERENCE: "reference kernels"}
# What both runtimes print when they apply the delegate to a graph.
_XNNPACK_CREATED = "Created TensorFlow Lite XNNPACK delegate"


class Interpreter(Protocol):
    """One loaded model."""

    def predict(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """Copy the inputs in, run the graph once, copy every output out (raw types)."""
        ...

    @property
    def xnnpack(self) -> bool | None:
        """Whether XNNPACK runs part of the graph; None where the runtime does not tell."""
        ...

    @property
    def delegate(self) -> str | None:
        """``lce_delegate`` with its version and the kernels it uses, None without it."""
        ...


class _LCE:
    xnnpack = None
    delegate = None

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter

    def predict(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        outputs: list[NDArray[Any]] = self._interpreter.predict(inputs)
        return outputs


class _LiteRT:
    delegate: str | None = None

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
    def xnnpack(self) -> bool | None:
        try:
            return another_delegate(self._interpreter._get_ops_details(), self._ours())
        except (AttributeError, KeyError):  # not a public interface
            return None

    def _ours(self) -> frozenset[int]:
        """Operators that ``lce_delegate`` runs."""
        return frozenset()


class _Delegated(_LiteRT):
    def __init__(self, interpreter: Any, runtime: DelegateRuntime, delegate: Any) -> None:
        super().__init__(interpreter)
        self._share = delegate_share(runtime, delegate)
        self.delegate = self._share.describe()

    def _ours(self) -> frozenset[int]:
        return self._share.nodes


def import_runtime(engine: str) -> Any:
    """Import the native module of an engine; returns it.

    LCE's is loaded by its file: importing ``larq_compute_engine`` would import TensorFlow.

    Raises:
        ImportError: not installed.
        SetupError: the same, of the delegate.
    """
    if engine == DELEGATE:
        return import_delegate()
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
    runtime: Any, engine: str, mode: str, model: bytes, threads: int, kernel: str
) -> Interpreter:
    """Build an interpreter and allocate its tensors.

    ``reference`` mode uses the plain kernels everywhere, no XNNPACK. ``indirect`` and
    ``default`` differ only in LCE's ``LceBconv2d``; for LiteRT they are the same. ``kernel``
    is the delegate's kernel set.

    Raises:
        RuntimeError, ValueError: the runtime refuses the model.
        SetupError: the delegate refuses the kernel set.
    """
    if engine == DELEGATE:
        delegated, delegate = delegated_interpreter(runtime, model, threads, kernel)
        return _Delegated(delegated, runtime, delegate)
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
    engine: str,
    mode: str,
    threads: int,
    xnnpack: bool | None,
    printed: Sequence[str],
    delegate: str | None = None,
) -> str:
    """What runs, for people: runtime, version, kernels.

    LCE's binary kernels are those asked for: it refuses a model rather than use others. The
    delegate's are those its operators have. XNNPACK is what was seen: ``+ XNNPACK`` if the
    runtime lists an operator of it, or, where it lists none (LCE), printed that it created the
    delegate; LCE does not say how many operators that took over. ``XNNPACK requested`` if
    neither was seen.

    Args:
        engine: ``"delegate"``, ``"lce"`` or ``"litert"``.
        mode: kernels asked for.
        threads: of the interpreter.
        xnnpack: see :attr:`Interpreter.xnnpack`.
        printed: lines the process has printed.
        delegate: see :attr:`Interpreter.delegate`.
    """
    if engine == LCE:
        kernels = _LCE_KERNELS[mode]
        if mode == INDIRECT and threads > 1:
            # LCE's indirect kernel has no threads, whatever the interpreter is told.
            kernels += f" (in 1 thread, other operators in {threads})"
        text = f"LCE {metadata.version('larq-compute-engine')}, {kernels}"
    else:
        text = f"LiteRT {metadata.version('ai-edge-litert')}"
        text += ", reference kernels" if mode == REFERENCE else ""
    if delegate is not None:
        text += f" + {delegate}"
    if mode == REFERENCE and not xnnpack:
        return text
    if xnnpack is None:
        xnnpack = any(_XNNPACK_CREATED in line for line in printed)
    return f"{text} + XNNPACK" if xnnpack else f"{text}, XNNPACK requested"
