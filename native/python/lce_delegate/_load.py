"""Load the delegate into a runtime, with checked options."""

import operator
from typing import Any, Optional

import numpy as np

from lce_delegate import _library
from lce_delegate._errors import UsageError
from lce_delegate._runtime import runtime

MAX_THREADS = 32
EXACTNESS = ("lce", "keras")
OPTIONS = ("num_threads", "kernel", "fusion", "exactness", "profiling")


def load(
    *,
    num_threads: int = 0,
    kernel: str = "auto",
    fusion: bool = True,
    exactness: str = "lce",
    profiling: bool = False,
    **unknown: Any,
) -> Any:
    """Load the delegate.

    Keep one of these per thread that runs interpreters; several interpreters may share it.

    Args:
        num_threads: threads of the binary operators, at most 32; 0 takes the interpreter's.
        kernel: name of a kernel set that this CPU supports (see :func:`lce_delegate.info`), or
            ``"auto"`` for the environment variable ``LCE_FORCE_KERNEL`` if set, else the best.
        fusion: merge neighbouring operators into binary convolutions.
        exactness: ``"lce"`` for Larq Compute Engine's arithmetic bit for bit, ``"keras"`` for
            integers first, which is nearer to Keras.
        profiling: measure the time of every operator, for :func:`profile`.
        **unknown: no other options are accepted.

    Returns:
        What the interpreter's ``experimental_delegates=[...]`` takes.

    Raises:
        UsageError: a bad option, no runtime, or the library is missing or does not load.
    """
    check_names(unknown, OPTIONS)
    options = _options(num_threads, kernel, fusion, exactness, profiling)
    path = _library.library_path()
    chosen = runtime()
    _library.functions()  # says clearly why the library does not load
    try:
        return chosen.load_delegate(path, options=options)
    except (ValueError, OSError) as error:
        # the runtime puts a line of its own before the library's
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(lines[-1]) from error


def profile(delegate: Any) -> list[dict[str, Any]]:
    """Time spent in each of the delegate's operators since it was made or reset.

    Not to be called while an interpreter that uses the delegate runs.

    Args:
        delegate: from :func:`load` with ``profiling=True``; otherwise all times are 0.

    Returns:
        One dictionary per operator: ``node``, ``op``, ``kernel``, ``output_shape``,
        ``binary_macs``, ``calls``, ``total_ns``, ``min_ns``, ``fused``.

    Raises:
        UsageError: not a delegate, or its runtime does not give its address.
    """
    return _library.read_profile(_pointer(delegate))


def reset_profile(delegate: Any) -> None:
    """Set all calls and times of a delegate to 0.

    Not to be called while an interpreter that uses the delegate runs.

    Raises:
        UsageError: as :func:`profile`.
    """
    pointer = _pointer(delegate)
    _library.check_delegate(pointer)
    _library.functions().lce_delegate_reset_profile(pointer)


def _pointer(delegate: Any) -> int:
    """Address of the native delegate, which every runtime's Python object knows."""
    method = getattr(delegate, "_get_native_delegate_pointer", None)
    pointer = method() if method is not None else None
    if not isinstance(pointer, int) or not pointer:
        name = type(delegate).__name__
        raise UsageError(
            f"delegate must be what lce_delegate.load() returned, got an object of type {name} "
            "that has no native delegate"
        )
    return pointer


def _options(
    num_threads: int, kernel: str, fusion: bool, exactness: str, profiling: bool
) -> dict[str, str]:
    """Check the options and put them into the library's form."""
    threads = as_int(num_threads)
    if threads is None or not 0 <= threads <= MAX_THREADS:
        raise UsageError(
            f"num_threads must be an integer from 0 (the interpreter's) to {MAX_THREADS}, "
            f"got {num_threads!r}"
        )
    if not isinstance(kernel, str) or not kernel.isalnum() or not kernel.isascii():
        names = ", ".join(["auto", *supported_kernels()])
        raise UsageError(f"kernel must be one of {names}, got {kernel!r}")
    for name, switch in (("fusion", fusion), ("profiling", profiling)):
        if not isinstance(switch, bool):
            raise UsageError(f"{name} must be True or False, got {switch!r}")
    if exactness not in EXACTNESS:
        raise UsageError(f"exactness must be one of {', '.join(EXACTNESS)}, got {exactness!r}")
    return {
        "num_threads": str(threads),
        "kernel": kernel,
        "fusion": str(int(fusion)),
        "exactness": exactness,
        "profiling": str(int(profiling)),
    }


def supported_kernels() -> list[str]:
    """Names of the kernel sets that this CPU has, the best first."""
    return [s["name"] for s in _library.info()["kernel_sets"] if s["supported"]]


def check_names(options: dict[str, Any], accepted: tuple[str, ...]) -> None:
    """Raise :class:`UsageError` for an option that is not among those accepted."""
    for name in options:
        if name not in accepted:
            raise UsageError(f"unknown option {name!r}, accepted: {', '.join(accepted)}")


def as_int(value: object) -> Optional[int]:
    """The integer that a value is, NumPy's included; None for others and for truth values."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
