"""Top-1 accuracy of a ``.tflite`` classifier."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.runtimes.delegate import AUTO_KERNEL
from converters.runtimes.modes import AUTO, engine_for
from converters.runtimes.process import TFLiteProcess
from converters.untrusted import DEFAULT_POLICY, Policy
from irnet_keras.errors import UsageError

# Fewer images than this are not worth starting another process for.
MIN_IMAGES_PER_PROCESS = 200


@dataclass(frozen=True)
class Score:
    """Result of :func:`tflite_accuracy`.

    Attributes:
        accuracy: share of images whose largest output is the right class, 0..1.
        num_examples: images scored.
        engine: runtime and kernels.
    """

    accuracy: float
    num_examples: int
    engine: str


def tflite_accuracy(
    path: str | os.PathLike[str],
    images: NDArray[Any],
    labels: NDArray[np.int64],
    preprocess: Callable[[NDArray[Any]], NDArray[Any]],
    *,
    runtime: str = AUTO,
    kernel: str = AUTO_KERNEL,
    processes: int | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Score:
    """Score a file, one image at a time, in several processes side by side.

    Args:
        path: the file.
        images: shape ``(n, height, width, channels)``, n at least 1.
        labels: shape ``(n,)``.
        preprocess: from images to what the network takes, float32.
        runtime: of files with Larq operators: ``"auto"``, ``"delegate"`` or ``"lce"``.
        kernel: kernel set of the delegate.
        processes: default: one per usable core.
        policy: what the file may cost and hold.

    Raises:
        UsageError: the file does not take these images or is no classifier, or a bad runtime
            or kernel.
        CheckFailed: the model crashed or hung.
    """
    if processes is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        processes = min(cores or 1, max(1, len(labels) // MIN_IMAGES_PER_PROCESS))

    engine = engine_for(path, runtime, kernel)

    running: list[TFLiteProcess] = []
    stopped = threading.Event()

    def score(part: NDArray[np.int64]) -> tuple[int, str]:
        with TFLiteProcess(Path(path), engine=engine, kernel=kernel, policy=policy) as process:
            running.append(process)
            if stopped.is_set():
                raise UsageError(f"{path}: stopped")
            logits = process.run(preprocess(images[part]))
            if logits.ndim != 2:
                raise UsageError(
                    f"{path} is not a classifier: its output has shape {(1, *logits.shape[1:])}"
                )
            return int(np.sum(np.argmax(logits, -1) == labels[part])), process.engine

    with ThreadPoolExecutor(processes) as pool:
        try:
            results = list(pool.map(score, np.array_split(np.arange(len(labels)), processes)))
        except BaseException:  # also Ctrl-C: the others would go on to their ends
            stopped.set()
            for process in running:
                process.close()
            raise
    correct = sum(count for count, _ in results)
    return Score(correct / len(labels), len(labels), results[0][1])
