"""An interpreter of the installed runtime with the delegate in it."""

import os
import stat
from pathlib import Path
from typing import Any, Optional, Union

from lce_delegate._errors import RunError, UsageError
from lce_delegate._load import MAX_THREADS, load, profile, reset_profile
from lce_delegate._runtime import runtime
from lce_delegate._verify import MAX_FILE_BYTES, verify


class Interpreter:
    """Checks a file, then runs it in the installed runtime with the delegate; allocated.

    Everything the runtime's interpreter offers is here too: ``get_input_details``,
    ``get_output_details``, ``set_tensor``, ``invoke``, ``get_tensor``, ``resize_tensor_input``
    (call ``allocate_tensors`` after it), ``get_signature_runner`` and so on.
    """

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        num_threads: Optional[int] = None,
        **options: Any,
    ) -> None:
        """Read, check and prepare a model.

        Args:
            path: a ``.tflite`` file.
            num_threads: of the whole interpreter, 1 to 32; None for the runtime's default.
            **options: ``kernel``, ``fusion``, ``exactness``, ``profiling`` as in
                :func:`lce_delegate.load`.

        Raises:
            UsageError: a bad option, or a file that is missing, unreadable or malformed.
            RunError: the runtime does not accept the model.
        """
        known = ("kernel", "fusion", "exactness", "profiling")
        for name in options:
            if name not in known:
                raise UsageError(f"unknown option {name!r}, accepted: {', '.join(known)}")
        if num_threads is not None and (
            not isinstance(num_threads, int)
            or isinstance(num_threads, bool)
            or not 1 <= num_threads <= MAX_THREADS
        ):
            raise UsageError(
                f"num_threads must be an integer from 1 to {MAX_THREADS} or None, "
                f"got {num_threads!r}"
            )
        data = _read(path)
        # The very bytes that were checked are run, whatever becomes of the file.
        self.delegate = load(**options)
        try:
            self._interpreter = runtime().interpreter(
                model_content=data,
                num_threads=num_threads,
                experimental_delegates=[self.delegate],
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise RunError(f"{path}: the runtime refused the model: {_one_line(error)}") from error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._interpreter, name)

    def profile(self) -> list[dict[str, Any]]:
        """Time per operator; see :func:`lce_delegate.profile`. Needs ``profiling=True``."""
        return profile(self.delegate)

    def reset_profile(self) -> None:
        """Set all calls and times to 0."""
        reset_profile(self.delegate)


def _read(path: Union[str, "os.PathLike[str]"]) -> bytes:
    """Content of a file that has passed :func:`lce_delegate.verify`."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe might never end
            raise UsageError(f"cannot read {path}: not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: not a .tflite file, larger than {MAX_FILE_BYTES} bytes")
        with open(path, "rb") as file:
            data = file.read(status.st_size)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except MemoryError as error:
        raise UsageError(f"cannot read {path}: it does not fit into memory") from error
    except (TypeError, ValueError) as error:  # not a path, or one with a zero byte
        raise UsageError(f"path must be the path of a .tflite file, got {path!r}") from error
    try:
        verify(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return data


def _one_line(error: Exception) -> str:
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
