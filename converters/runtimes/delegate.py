"""LiteRT with ``lce_delegate``: loading it, and seeing what it took. Runs in the child only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

DELEGATE = "delegate"
AUTO_KERNEL = "auto"

_DELEGATE_OP = "DELEGATE"  # what LiteRT calls the operator that stands for a delegate's part


class SetupError(Exception):
    """The delegate is missing, does not load or refuses an option; the model is not to blame."""


@dataclass(frozen=True)
class DelegateRuntime:
    """The imported modules.

    Attributes:
        litert: ``ai_edge_litert.interpreter``.
        package: ``lce_delegate``.
    """

    litert: Any
    package: Any


def import_delegate() -> DelegateRuntime:
    """Import LiteRT and the delegate, and load the delegate's library.

    Raises:
        ImportError: LiteRT is not installed.
        SetupError: the delegate is not installed or its library does not load.
    """
    from ai_edge_litert import interpreter

    try:
        import lce_delegate
    except ImportError as error:
        raise SetupError(
            "files with Larq operators run in LiteRT with lce_delegate, which cannot be imported: "
            f"pip install ./native, or choose --runtime lce ({error})"
        ) from error
    try:
        lce_delegate.info()  # loads the library
    except lce_delegate.UsageError as error:
        raise SetupError(f"lce_delegate: {error}; or choose --runtime lce") from error
    return DelegateRuntime(interpreter, lce_delegate)


def delegated_interpreter(
    runtime: DelegateRuntime, model: bytes, threads: int, kernel: str
) -> tuple[Any, Any]:
    """An interpreter with its tensors allocated, and its delegate.

    Raises:
        SetupError: this library or CPU has no kernel set of that name.
        RuntimeError, ValueError: the runtime refuses the model.
    """
    supported = [s["name"] for s in runtime.package.info()["kernel_sets"] if s["supported"]]
    if kernel not in (AUTO_KERNEL, *supported):
        names = ", ".join([AUTO_KERNEL, *supported])
        raise SetupError(f"--kernel must be one of {names}, got {kernel!r}")
    try:
        delegate = runtime.package.load(kernel=kernel)  # takes the interpreter's threads
    except runtime.package.UsageError as error:
        raise SetupError(f"lce_delegate: {str(error).removeprefix('lce_delegate: ')}") from error
    interpreter = runtime.litert.Interpreter(
        model_content=model, num_threads=threads, experimental_delegates=[delegate]
    )
    interpreter.allocate_tensors()
    return interpreter, delegate


@dataclass(frozen=True)
class Share:
    """What the delegate does in an interpreter.

    Attributes:
        version: of its library.
        kernel_sets: those its operators really use, the most frequent first.
        nodes: operators it runs, by position in the file; merged ones are left out.
    """

    version: str
    kernel_sets: tuple[str, ...]
    nodes: frozenset[int]

    def describe(self) -> str:
        """E.g. ``"lce_delegate 0.1.0 (avx512)"``."""
        kernels = " and ".join(self.kernel_sets) or "nothing to do"
        return f"lce_delegate {self.version} ({kernels})"


def delegate_share(runtime: DelegateRuntime, delegate: Any) -> Share:
    """Read the delegate's own table of operators and kernels."""
    rows = runtime.package.profile(delegate)
    sets = [row["kernel"].rpartition("_")[2] for row in rows]
    ordered = sorted(dict.fromkeys(sets), key=lambda name: -sets.count(name))
    nodes = frozenset(row["node"] for row in rows)
    return Share(runtime.package.info()["version"], tuple(ordered), nodes)


def another_delegate(details: Sequence[dict[str, Any]], nodes: Collection[int]) -> bool:
    """Whether a delegate other than ours, which must be XNNPACK, runs some operator.

    Args:
        details: LiteRT's list of operators: those of the file, then one per delegated part.
        nodes: at least one operator of each part that is ours.
    """
    originals = [d for d in details if d["op_name"] != _DELEGATE_OP]
    producer = {int(tensor): d for d in originals for tensor in d["outputs"]}
    for part in details:
        if part["op_name"] != _DELEGATE_OP:
            continue
        ends = {int(tensor) for tensor in part["inputs"]}
        members: set[int] = set()
        to_do = [int(tensor) for tensor in part["outputs"]]
        while to_do:
            op = producer.get(tensor := to_do.pop())
            if op is None or tensor in ends or op["index"] in members:
                continue
            members.add(op["index"])
            to_do += [int(i) for i in op["inputs"]]
        if members.isdisjoint(nodes):
            return True
    return False
