"""Labelled images through a build on a target, compared with this machine's predictions."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.runtimes import TFLiteProcess, engine_for
from converters.untrusted import Policy
from edge_bench.targets import Target
from irnet_keras.errors import CheckFailed, UsageError

_SECONDS_PER_IMAGE = 20.0  # ResNet-18 takes 1.5 s under emulation
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Labelled:
    """Images as the network takes them.

    Attributes:
        inputs: float32, shape ``(n, height, width, channels)``, n at least 1.
        labels: classes, shape ``(n,)``.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """What the target predicted.

    Attributes:
        accuracy: share of images whose largest output is the right class, on the target.
        host_agreement: share of images for which this machine finds the same class.
        num_examples: images.
    """

    accuracy: float
    host_agreement: float
    num_examples: int


def agreement(target: Target, path: Path, remote: str, data: Labelled, policy: Policy) -> Agreement:
    """Run a build on both machines.

    Args:
        target: has ``lce_delegate``, whatever tool does the timing.
        path: the file here.
        remote: the same file there.
        data: the images.
        policy: what the file may cost and hold here.

    Raises:
        UsageError: the file does not take these images or is no classifier.
        CheckFailed: the target failed, or answers with something else than predictions.
    """
    count = len(data.labels)
    with TFLiteProcess(path, policy=policy) as process:
        logits = _logits(process, path, data)
        raw = process.inputs[0].quantize(data.inputs)
        details = process.outputs[0]
    with tempfile.TemporaryDirectory() as folder:
        images, answers = Path(folder) / "images.npy", Path(folder) / "outputs.npy"
        np.save(images, raw, allow_pickle=False)
        sent = target.push(images)
        output = f"{target.folder}/outputs.npy"
        argv = [
            target.python, "-m", "lce_delegate", "predict", remote, "--input", sent,
            "--output", output,
        ]  # fmt: skip
        done = target.run(argv, timeout_s=_START_SECONDS + _SECONDS_PER_IMAGE * count)
        if done.status:
            raise target.error(
                f"lce_delegate predict ended with status {done.status}: {done.last_line()}"
            )
        target.pull(output, answers, size_limit=4096 + 8 * logits.size)
        target.remove(output)
        found = details.dequantize(_predictions(target, answers, logits.shape))
    there, here = np.argmax(found, -1), np.argmax(logits, -1)
    return Agreement(
        accuracy=float(np.mean(there == data.labels)),
        host_agreement=float(np.mean(there == here)),
        num_examples=count,
    )


def local_accuracy(
    path: Path, data: Labelled, policy: Policy, engine: str = "auto"
) -> dict[str, Any]:
    """This machine's own accuracy, for :meth:`BenchResult.with_accuracy`."""
    with TFLiteProcess(path, engine=engine_for(path, engine), policy=policy) as process:
        logits = _logits(process, path, data)
    found = np.mean(np.argmax(logits, -1) == data.labels)
    return {"accuracy": float(found), "num_examples": len(data.labels)}


def _logits(process: TFLiteProcess, path: Path, data: Labelled) -> NDArray[np.float32]:
    logits = process.run(data.inputs)
    if logits.ndim != 2:
        raise UsageError(
            f"{path} is not a classifier: its output has shape {(1, *logits.shape[1:])}"
        )
    return logits


def _predictions(target: Target, path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers of the target's answer.

    Raises:
        CheckFailed: not an array of numbers of that shape.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise target.error("lce_delegate predict did not write a .npy file") from error
    if (
        not isinstance(values, np.ndarray)
        or values.shape != shape
        or values.dtype.kind not in "fiu"
    ):
        raise target.error(f"lce_delegate predict must give numbers of shape {shape}")
    if not np.isfinite(values).all():
        raise CheckFailed(f"{target.address.text}: outputs are not finite")
    return values
