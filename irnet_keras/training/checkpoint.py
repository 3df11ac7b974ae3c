"""Checkpoints from which a run continues bit for bit."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.models.weights import (
    assign_arrays,
    load_arrays,
    save_arrays,
    save_weights,
    variable_arrays,
)

CHECKPOINT = "checkpoint.safetensors"
LAST = "last.safetensors"
BEST = "best.safetensors"


def save_checkpoint(folder: Path, model: Any, state: dict[str, Any]) -> None:
    """Write model, optimizer and ``state`` (JSON values) to one file, replaced atomically."""
    arrays = {f"model/{k}": a for k, a in variable_arrays(model.weights).items()}
    slots = variable_arrays(model.optimizer.variables)
    arrays.update({f"optimizer/{k}": np.asarray(a) for k, a in slots.items()})
    save_arrays(folder / CHECKPOINT, arrays, {"state": json.dumps(state)})


def load_checkpoint(folder: Path, model: Any) -> dict[str, Any]:
    """Restore model and optimizer (its slots must be built); returns the saved state.

    Raises:
        UsageError: no checkpoint, a damaged one, or one of another model.
    """
    path = folder / CHECKPOINT
    arrays, metadata = load_arrays(path)
    for prefix, variables in (("model/", model.weights), ("optimizer/", model.optimizer.variables)):
        part = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
        assign_arrays(variables, part, str(path))
    try:
        state = json.loads(metadata["state"])
        epoch = int(state["epoch"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is corrupted: it holds no training state") from error
    return {"epoch": epoch, "best": state.get("best"), "best_epoch": state.get("best_epoch")}


def has_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Whether a run folder holds a completed checkpoint."""
    return (Path(folder) / CHECKPOINT).exists()


class RunCheckpoint(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch: weights of the best validation score, last weights, checkpoint.

    The checkpoint is written last: when it names epoch n, everything else of epoch n is on
    disk. Must stand after the callbacks that add to the epoch's logs.

    Args:
        folder: run folder.
        metadata: stored with the weights (JSON text values).
        monitor: key in the epoch's logs that decides the best epoch, higher is better.
        epoch: epochs completed so far.
        best: best value of ``monitor`` so far (resume), or None.
        best_epoch: its epoch, 1-based.
    """

    def __init__(
        self,
        folder: Path,
        metadata: dict[str, str],
        monitor: str = "val_accuracy",
        epoch: int = 0,
        best: float | None = None,
        best_epoch: int | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.metadata, self.monitor = folder, metadata, monitor
        self.epoch, self.best, self.best_epoch = epoch, best, best_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        score = (logs or {}).get(self.monitor)
        metadata = {**self.metadata, "epoch": str(epoch + 1)}
        if score is not None and (self.best is None or score > self.best):
            self.best, self.best_epoch = float(score), epoch + 1
            save_weights(self.model, self.folder / BEST, metadata)
        save_weights(self.model, self.folder / LAST, metadata)
        self.epoch = epoch + 1
        state = {"epoch": self.epoch, "best": self.best, "best_epoch": self.best_epoch}
        save_checkpoint(self.folder, self.model, state)
