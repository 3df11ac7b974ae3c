"""A model in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph, read_graph
from converters.graph.model import DTYPES
from converters.runtimes.framing import ProtocolError, read_message, write_message
from converters.runtimes.interpreters import DEFAULT, LCE, LITERT, MODES, describe
from converters.runtimes.modes import candidates, window_exceeds_image
from irnet_keras.errors import CheckFailed, UsageError

ENGINES = ("auto", LCE, LITERT)
# A request is at most this many images, so that a hang is noticed and memory stays small.
IMAGES_PER_REQUEST = 64
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class TensorDetails:
    """An input or output of a model.

    Attributes:
        name: as stored in the file.
        shape: with the batch dimension, which is 1.
        dtype: NumPy's name, e.g. ``"float32"``.
        scale: ``real = scale * (q - zero_point)``, or None for unquantized tensors.
        zero_point: as above.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None

    def quantize(self, values: NDArray[Any]) -> NDArray[Any]:
        """Float to this tensor's type: ``round(x / scale) + zero_point``, ties to even, saturated.

        Arrays that already have the type pass unchanged.
        """
        if values.dtype == self.dtype:
            return values
        if self.scale is None or self.zero_point is None:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(values / np.float32(self.scale)) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """This tensor's type to float32."""
        if self.scale is None or self.zero_point is None:
            return values.astype(np.float32)
        return (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


class TFLiteProcess:
    """One ``.tflite`` file in one interpreter in one child process.

    The file is verified before any native code sees it. A model that crashes or hangs ends the
    child only, and memory is measured per model. Use as a context manager. Not for several
    threads at once; several objects may run side by side.

    Attributes:
        path: the file.
        sha256: of its content, hex.
        engine: what runs, e.g. ``"LCE 0.16.0, indirect BGEMM + XNNPACK"``.
        mode: kernels in use: ``"indirect"``, ``"default"`` or ``"reference"``.
        inputs: one entry per graph input; so outputs.
        threads: what the interpreter was given.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int = 1,
        engine: str = "auto",
        mode: str | None = None,
        seed: int = 0,
        timeout: float = 120.0,
    ) -> None:
        """Check the file, start the child, load the model, run it once.

        Args:
            path: the file; batch dimension 1.
            threads: at least 1.
            engine: ``"lce"``, ``"litert"``, or ``"auto"``: LCE if the file holds its ops.
            mode: ``"indirect"``, ``"default"`` or ``"reference"`` kernels. None takes the
                fastest that LCE accepts and that is right for the file (see
                :func:`converters.runtimes.modes.candidates`); for LiteRT it is ``"default"``.
            seed: of the random input for :meth:`time` and :meth:`memory`.
            timeout: seconds a single request may take before the child is killed.

        Raises:
            UsageError: missing or malformed file, bad argument, or the runtime refuses it.
            CheckFailed: the child crashed or hung.
        """
        self.path = Path(path)
        self.threads = _checked_threads(threads)
        _checked_choice("engine", engine, ENGINES)
        if mode is not None:
            _checked_choice("mode", mode, MODES)
        graph = read_graph(self.path)
        self.sha256 = sha256(graph.data).hexdigest()
        self.inputs = tuple(_details(graph, i, self.path) for i in graph.inputs)
        self.outputs = tuple(_details(graph, i, self.path) for i in graph.outputs)
        self._timeout = timeout
        self._child: subprocess.Popen[bytes] | None = None
        self._memory: int | None = None
        uses_lce = any(op.name.startswith("Lce") for op in graph.ops)
        self._engine = (LCE if uses_lce else LITERT) if engine == "auto" else engine
        refusals = []
        for candidate in self._modes(graph, mode):
            try:
                self._start(candidate, seed)
            except _RefusedError as error:
                refusals.append(f"{candidate}: {error}")
                self.close()
            except BaseException:
                self.close()
                raise
            else:
                self.mode = candidate
                self.engine = describe(self._engine, candidate, threads)
                return
        raise UsageError(f"{self.path}: the runtime refuses the model ({'; '.join(refusals)})")

    def _modes(self, graph: Graph, mode: str | None) -> tuple[str, ...]:
        if self._engine == LITERT:
            return (mode or DEFAULT,)
        if mode is None:
            return candidates(graph)
        if mode not in candidates(graph):
            raise UsageError(
                f"{self.path}: {mode} kernels are wrong for {window_exceeds_image(graph)!r}, "
                "whose kernel is larger than its image; use reference"
            )
        return (mode,)

    def __enter__(self) -> "TFLiteProcess":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, None once closed."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child; may be called twice."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # unsent bytes in the buffer
                    pipe.close()
        child.wait()
        self._stderr.close()

    def run(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """First output for each image.

        Args:
            inputs: float32, shape ``(n, height, width, channels)`` or whatever follows the
                batch dimension of the model's only input; quantized here if the model's input
                is. Values of the input's own type are used as they are.

        Returns:
            float32 (dequantized if need be), shape ``(n, *output shape without batch)``,
            ``(n, classes)`` for a classifier.

        Raises:
            UsageError: wrong shape.
            CheckFailed: the child crashed or hung.
        """
        first = self.run_all(inputs)[0]
        return self.outputs[0].dequantize(first[:, 0])

    def run_all(self, inputs: NDArray[Any] | Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Every output for each image, in the file's own types.

        Args:
            inputs: as in :meth:`run`, or one such array per graph input.

        Returns:
            One array per graph output, shape ``(n, *output shape with its batch of 1)``.
        """
        arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
        if len(arrays) != len(self.inputs):
            raise UsageError(f"{self.path} takes {len(self.inputs)} inputs, got {len(arrays)}")
        for array, details in zip(arrays, self.inputs, strict=True):
            if array.shape[1:] != details.shape[1:] or len(array) != len(arrays[0]):
                raise UsageError(
                    f"{self.path} takes inputs of shape {('n', *details.shape[1:])}, "
                    f"got {array.shape}"
                )
        if not len(arrays[0]):
            raise UsageError(f"{self.path}: no images given")
        parts = []
        for i in range(0, len(arrays[0]), IMAGES_PER_REQUEST):
            batch = [
                d.quantize(a[i : i + IMAGES_PER_REQUEST])
                for a, d in zip(arrays, self.inputs, strict=True)
            ]
            parts.append(self._request({"do": "run"}, batch)[1])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def time(self, count: int, warmup: int = 0) -> list[float]:
        """Seconds of each of ``count`` single runs on a fixed random input.

        The child's clock runs around copying the input in, running the graph and copying the
        outputs out, the same for both engines; pipes are outside. ``warmup`` runs come first
        and are thrown away.
        """
        _, (seconds,) = self._request({"do": "time", "count": count, "warmup": warmup})
        return [float(s) for s in seconds]

    def memory(self) -> int | None:
        """Bytes of resident memory the model needs at most.

        Peak resident set (``VmHWM``, reset through ``/proc/self/clear_refs``) while the file
        was read, the interpreter built and the graph run once, minus the resident set just
        before, with Python, NumPy and the runtime's library already loaded. It contains the
        file's bytes, packed weights, tensors, and code pages touched for the first time. None
        where the system cannot tell.
        """
        return self._memory

    def _start(self, mode: str, seed: int) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]),
            "PYTHONSAFEPATH": "1",  # the current folder must not be able to shadow modules
            "OPENBLAS_NUM_THREADS": "1",  # NumPy's own threads would blur the measurement
        }
        self._stderr: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (close() does)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "converters.runtimes.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then closes the child
        )
        header = {
            "do": "load",
            "path": str(self.path.resolve()),
            "sha256": self.sha256,
            "engine": self._engine,
            "mode": mode,
            "threads": self.threads,
            "seed": seed,
            "inputs": [[list(d.shape), d.dtype] for d in self.inputs],
        }
        self._memory = self._request(header)[0]["ok"]["memory"]

    def _request(
        self, header: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()
    ) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise UsageError(f"{self.path}: the interpreter process is closed")
        late = threading.Event()

        def give_up() -> None:
            late.set()
            child.kill()

        watchdog = threading.Timer(self._timeout, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            write_message(child.stdin, header, arrays)
            answer, results = read_message(child.stdout)
        except (OSError, EOFError, ProtocolError) as error:
            if isinstance(error, ProtocolError):
                child.kill()  # it may be alive, but what it says means nothing any more
            raise self._post_mortem(child, late.is_set()) from error
        finally:
            watchdog.cancel()
        if "error" in answer:
            raise _RefusedError(answer["error"])
        return answer, results

    def _post_mortem(self, child: "subprocess.Popen[bytes]", late: bool) -> CheckFailed:
        if late:
            self.close()
            return CheckFailed(f"{self.path}: no answer within {self._timeout:g} s, stopped")
        try:
            code = child.wait(timeout=10)  # its pipe is closed, so it is on its way out
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        last = self._last_words()
        self.close()
        if code < 0:
            name = signal.Signals(-code).name
            return CheckFailed(f"{self.path}: the model crashed its interpreter ({name}){last}")
        return CheckFailed(f"{self.path}: the interpreter process ended with status {code}{last}")

    def _last_words(self) -> str:
        self._stderr.seek(0)
        text = self._stderr.read(1 << 16).decode("utf-8", "replace").strip()
        return f": {text.splitlines()[-1]}" if text else ""


class _RefusedError(UsageError):
    """The runtime is alive and said no."""


def _details(graph: Graph, index: int, path: Path) -> TensorDetails:
    tensor = graph.tensors[index]
    if tensor.dtype not in DTYPES:
        raise UsageError(
            f"{path}: {tensor.name!r} has type {tensor.dtype}, which has no array form"
        )
    if index in graph.inputs and (-1 in tensor.shape or tensor.shape[:1] != (1,)):
        raise UsageError(
            f"{path}: input {tensor.name!r} has shape {tensor.shape}; needed is a static shape "
            "with batch 1"
        )
    dtype = np.dtype(DTYPES[tensor.dtype]).name
    q = tensor.quantization
    if q is None or len(q.scale) != 1 or dtype.startswith("float"):
        return TensorDetails(tensor.name, tensor.shape, dtype, None, None)
    return TensorDetails(tensor.name, tensor.shape, dtype, float(q.scale[0]), int(q.zero_point[0]))


def _checked_threads(threads: int) -> int:
    if threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    return threads


def _checked_choice(name: str, value: str, accepted: Sequence[str]) -> None:
    if value not in accepted:
        raise UsageError(f"{name} must be one of {', '.join(accepted)}, got {value!r}")
