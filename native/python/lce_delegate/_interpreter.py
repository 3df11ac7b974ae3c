"""An interpreter of the installed runtime with the delegate in it."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

from lce_delegate._errors import RunError, UsageError
from lce_delegate._load import MAX_THREADS, as_int, check_names, load, profile, reset_profile
from lce_delegate._runtime import runtime
from lce_delegate._verify import MAX_FILE_BYTES, verify

FilePath = Union[str, "os.PathLike[str]"]
Shapes = Mapping[Union[str, int], Sequence[int]]
OPTIONS = ("kernel", "fusion", "exactness", "profiling")


class Interpreter:
    """Checks a file, then runs it in the installed runtime with the delegate; allocated.

    Everything the runtime's interpreter offers is here too: ``get_input_details``,
    ``get_output_details``, ``set_tensor``, ``invoke``, ``get_tensor``, ``resize_tensor_input``
    (call ``allocate_tensors`` after it), ``get_signature_runner`` and so on.
    """

    def __init__(
        self,
        path: FilePath,
        num_threads: Optional[int] = None,
        *,
        input_shapes: Optional[Shapes] = None,
        **options: Any,
    ) -> None:
        """Read, check and prepare a model.

        Args:
            path: a ``.tflite`` file.
            num_threads: of the whole interpreter, 1 to 32; None for the runtime's default.
            input_shapes: shapes of inputs, by name or by index (``"name"`` and ``"index"`` of
                ``get_input_details()``), set before anything is allocated. For models whose
                image size is not fixed: converters write 1 for a size they do not know, and an
                image of 1x1 may be refused.
            **options: ``kernel``, ``fusion``, ``exactness``, ``profiling`` as in
                :func:`lce_delegate.load`.

        Raises:
            UsageError: a bad option, or a file that is missing, unreadable or malformed.
            RunError: the runtime does not accept the model.
        """
        threads = _checked(num_threads, options)
        self._prepare(path, read_model(path), threads, input_shapes, options)

    @classmethod
    def of_content(
        cls, content: bytes, path: FilePath, num_threads: Optional[int], **options: Any
    ) -> "Interpreter":
        """The same for the content that :func:`read_model` returned; ``path`` names it."""
        made = cls.__new__(cls)
        made._prepare(path, content, _checked(num_threads, options), None, options)
        return made

    def _prepare(
        self,
        path: FilePath,
        content: bytes,
        num_threads: Optional[int],
        input_shapes: Optional[Shapes],
        options: dict[str, Any],
    ) -> None:
        # The very bytes that were checked are run, whatever becomes of the file.
        self.delegate = load(**options)
        try:
            self._interpreter = runtime().interpreter(
                model_content=content,
                num_threads=num_threads,
                experimental_delegates=[self.delegate],
            )
            if input_shapes is not None:
                details = self._interpreter.get_input_details()
                for index, shape in _checked_shapes(input_shapes, details).items():
                    self._interpreter.resize_tensor_input(index, shape)
            self._interpreter.allocate_tensors()
        except UsageError:
            raise
        except (RuntimeError, ValueError) as error:
            raise RunError(f"{path}: the runtime refuses the model: {one_line(error)}") from error

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


def read_model(path: FilePath) -> bytes:
    """Content of a file that has passed :func:`lce_delegate.verify`.

    Raises:
        UsageError: missing, unreadable or malformed.
    """
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe might never end
            raise UsageError(f"cannot read {path}: not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: not a .tflite file, larger than {MAX_FILE_BYTES} bytes")
        with open(path, "rb") as file:
            content = file.read(status.st_size)
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except MemoryError as error:
        raise UsageError(f"cannot read {path}: it does not fit into memory") from error
    except (TypeError, ValueError) as error:  # not a path, or one with a zero byte
        raise UsageError(f"path must be the path of a .tflite file, got {path!r}") from error
    try:
        verify(content)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return content


def one_line(error: Exception) -> str:
    """Text of a runtime's error; its parts come without a line end between them."""
    text = str(error).replace("Node number ", "\nNode number ")
    parts = (line.strip().rstrip(".;") for line in text.splitlines())
    return "; ".join(part for part in parts if part) or type(error).__name__


def _checked(num_threads: Optional[int], options: dict[str, Any]) -> Optional[int]:
    check_names(options, OPTIONS)
    if num_threads is None:
        return None
    threads = as_int(num_threads)
    if threads is None or not 1 <= threads <= MAX_THREADS:
        raise UsageError(
            f"num_threads must be an integer from 1 to {MAX_THREADS} or None, got {num_threads!r}"
        )
    return threads


def _checked_shapes(shapes: Shapes, details: list[dict[str, Any]]) -> dict[int, list[int]]:
    """Shapes by tensor index, each of its input's number of dimensions."""
    if not isinstance(shapes, Mapping):
        raise UsageError(
            f"input_shapes must be a dictionary of input name or index to shape, got {shapes!r}"
        )
    accepted = ", ".join(f"{d['name']!r} ({int(d['index'])})" for d in details)
    found = {}
    for key, shape in shapes.items():
        matching = [d for d in details if key == d["name"] or as_int(key) == d["index"]]
        if not matching:
            raise UsageError(f"input_shapes: no input {key!r}, accepted: {accepted}")
        rank = len(matching[0]["shape"])
        sizes = [as_int(n) for n in shape] if isinstance(shape, Iterable) else []
        if len(sizes) != rank or not all(n is not None and 1 <= n < 2**31 for n in sizes):
            raise UsageError(
                f"input_shapes: the shape of {key!r} must be {rank} positive integers, "
                f"got {shape!r}"
            )
        found[int(matching[0]["index"])] = [n for n in sizes if n is not None]
    return found
