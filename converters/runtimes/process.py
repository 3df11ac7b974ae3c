"""A model in a process of its own."""

import math
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.runtimes.child import Child, RefusedError
from converters.runtimes.delegate import AUTO_KERNEL
from converters.runtimes.interpreters import describe
from converters.runtimes.modes import AUTO, checked_kernel, choose
from converters.runtimes.tensors import tensor_details
from converters.untrusted import DEFAULT_POLICY, Policy, check_graph, read_untrusted
from irnet_keras.errors import UsageError

# A request is at most this many images, so that a hang is noticed and memory stays small.
IMAGES_PER_REQUEST = 64
# Python, NumPy and LiteRT take some 700 MiB of address space; the file and its constants, packed
# for the kernels, come on top.
RUNTIME_MIB = 3072
THREAD_MIB = 128  # a stack, and an arena of the C library
# Of lce_delegate, which would take no more than these whatever it was told.
MAX_THREADS = 32


class TFLiteProcess:
    """One ``.tflite`` file in one interpreter in one child process.

    The file is checked (:mod:`converters.untrusted`) before any native code sees it. A model that
    crashes, hangs or takes too much memory ends the child only, and memory is measured per model.
    Use as a context manager. Not for several threads at once; several objects may run side by
    side.

    Attributes:
        path: the file.
        sha256: of its content, hex.
        size_bytes: of its content.
        engine: what runs, e.g. ``"LiteRT 2.3.0 + lce_delegate 0.1.0 (avx512) + XNNPACK"``; see
            :func:`converters.runtimes.interpreters.describe`.
        mode: kernels in use: ``"delegate"``, or ``"indirect"``, ``"default"`` or
            ``"reference"``.
        inputs: one entry per graph input; so outputs.
        threads: what the interpreter was given.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        threads: int = 1,
        engine: str = AUTO,
        mode: str | None = None,
        kernel: str = AUTO_KERNEL,
        seed: int = 0,
        timeout: float = 120.0,
        even_wrong: bool = False,
        memory_mib: int | None = None,
        policy: Policy = DEFAULT_POLICY,
    ) -> None:
        """Check the file, start the child, load the model, run it once.

        Args:
            path: the file; batch dimension 1.
            threads: 1 to 32.
            engine: ``"delegate"`` (LiteRT with ``lce_delegate``), ``"lce"`` (LCE's own
                interpreter), ``"litert"``, or ``"auto"``: for files with LCE's ops the
                delegate, unless ``mode`` is one of LCE's; for others LiteRT.
            mode: ``"delegate"``, or LCE's ``"indirect"``, ``"default"`` or ``"reference"``
                kernels. None takes the fastest of the engine that is right for the file (see
                :func:`converters.runtimes.modes.candidates`); for LiteRT it is ``"default"``.
            kernel: kernel set of the delegate, ``"auto"`` for the best this CPU has.
            seed: of the random input for :meth:`time` and :meth:`memory`.
            timeout: seconds a single request may take before the child is killed.
            even_wrong: accept a mode that is known to be wrong for the file.
            memory_mib: address space the child may take, Python and the runtime included; by
                default ``RUNTIME_MIB`` and the policy's. ``THREAD_MIB`` more for each thread.
            policy: what a file may cost and hold.

        Raises:
            UsageError: missing or malformed file, one that the check of untrusted files or the
                runtime refuses, bad argument, or the delegate is not installed.
            CheckFailed: the child crashed, hung or needs more memory.
        """
        self.path = Path(path)
        check_threads(threads)
        self.threads = threads
        self._policy = policy
        graph = read_untrusted(self.path, policy)
        self._needs_bytes = check_graph(graph, policy).memory_bytes
        self.sha256 = sha256(graph.data).hexdigest()
        self.size_bytes = len(graph.data)
        self.inputs = tuple(tensor_details(graph, i, self.path) for i in graph.inputs)
        self.outputs = tuple(tensor_details(graph, i, self.path) for i in graph.outputs)
        self._engine, modes = choose(graph, self.path, engine, mode, even_wrong=even_wrong)
        checked_kernel(self._engine, kernel)
        self._kernel = kernel
        if memory_mib is None:
            memory_mib = RUNTIME_MIB + math.ceil(policy.memory_mib)
        self._child, self.mode, loaded = self._open(modes, seed, timeout, memory_mib)
        self._memory: int | None = loaded["memory"]
        self.engine = describe(
            self._engine,
            self.mode,
            threads,
            loaded["xnnpack"],
            self._child.printed(),
            loaded["delegate"],
        )

    def __enter__(self) -> "TFLiteProcess":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    def close(self) -> None:
        """End the child; may be called twice."""
        self._child.close()

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
            parts.append(self._child.request({"do": "run"}, batch)[1])
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def time(self, count: int, warmup: int = 0) -> list[float]:
        """Seconds of each of ``count`` single runs on a fixed random input.

        The child's clock runs around copying the input in, running the graph and copying the
        outputs out, the same for both engines; pipes are outside. ``warmup`` runs come first
        and are thrown away.
        """
        _, (seconds,) = self._child.request({"do": "time", "count": count, "warmup": warmup})
        return [float(s) for s in seconds]

    def profile(self, count: int, warmup: int = 0) -> list[dict[str, Any]]:
        """Time of each operator that the delegate runs; empty in other engines.

        Returns:
            As :func:`converters.runtimes.profiling.profile_delegate`.
        """
        rows, _ = self._child.request({"do": "profile", "count": count, "warmup": warmup})
        return list(rows)

    def time_file(self, data: bytes, count: int, warmup: int = 0) -> float:
        """Median seconds of another file in LiteRT alone, in the same child.

        Args:
            data: made from a checked file, e.g. by :func:`converters.graph.with_operators`.
            count: samples.
            warmup: runs before them.

        Raises:
            UsageError: the check of untrusted files or LiteRT refuses it.
            CheckFailed: it crashed or hung.
        """
        read_untrusted(data, self._policy)
        header = {"do": "time_file", "count": count, "warmup": warmup}
        seconds, _ = self._child.request(header, [np.frombuffer(data, np.uint8)])
        return float(seconds)

    def memory(self) -> int | None:
        """Bytes of resident memory the model needs at most.

        Peak resident set (``VmHWM``, reset through ``/proc/self/clear_refs``) while the file
        was read, the interpreter built and the graph run once, minus the resident set just
        before, with Python, NumPy and the runtime's library already loaded. It contains the
        file's bytes, packed weights, tensors, and code pages touched for the first time. None
        where the system cannot tell.
        """
        return self._memory

    def _open(
        self, modes: Sequence[str], seed: int, timeout: float, memory_mib: int
    ) -> tuple[Child, str, dict[str, Any]]:
        """A child with the model loaded in the first mode that is accepted, and its answer."""
        refusals = []
        for mode in modes:
            child = Child(
                str(self.path),
                timeout,
                memory_mib=memory_mib + THREAD_MIB * self.threads,
                threads=self.threads,
            )
            header = {
                "do": "load",
                "path": str(self.path.resolve()),
                "sha256": self.sha256,
                "engine": self._engine,
                "mode": mode,
                "kernel": self._kernel,
                "threads": self.threads,
                "seed": seed,
                "inputs": [[list(d.shape), d.dtype] for d in self.inputs],
            }
            try:
                loaded, _ = child.request(header)
            except RefusedError as error:
                if self._needs_bytes > memory_mib << 20:  # LiteRT fails without a word
                    child.close()
                    raise child.no_memory() from error
                refusals.append(f"{mode}: {str(error).removeprefix(f'{self.path}: ')}")
                child.close()
            except BaseException:
                child.close()
                raise
            else:
                return child, mode, loaded
        raise UsageError(f"{self.path}: the runtime refuses the model ({'; '.join(refusals)})")


def check_threads(threads: int) -> None:
    """Raise :class:`UsageError` for a number of threads that no interpreter here is given."""
    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"--threads must be from 1 to {MAX_THREADS}, got {threads}")
