"""The callback that writes weights and checkpoints while a run trains."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from irnet_keras.models.weights import Arrays, save_arrays
from irnet_keras.training.averaging import epoch_weights
from irnet_keras.training.checkpoint import (
    BEST,
    LAST,
    Position,
    restore_metrics,
    save_checkpoint,
    state_arrays,
)
from irnet_keras.training.interruption import Interrupted, Interruption


class RunCheckpoint(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Best weights, last weights and checkpoint after each epoch; checkpoints inside epochs.

    The checkpoint is written last: when it names epoch n, everything else of epoch n is on
    disk. Must stand after the callbacks that add to the epoch's logs and after those that stop
    on a bad step.

    Args:
        folder: run folder.
        metadata: stored with the weights (JSON text values).
        monitor: key in the epoch's logs that decides the best epoch, higher is better.
        steps: per epoch.
        position: where the run starts.
        every: steps between checkpoints inside an epoch, or None.
        interruption: asked after every step whether to end.
        metrics: sums of the metrics of an epoch begun earlier, from ``load_checkpoint``.
        kept: epochs (1-based) whose weights stay in files of their own.
        writes: whether this process writes files; the others only take part in reading values.

    Raises:
        Interrupted: after a step, when ``interruption`` says so and the checkpoint is written.
    """

    _supports_tf_logs = True

    def __init__(
        self,
        folder: Path,
        metadata: dict[str, str],
        monitor: str,
        steps: int,
        *,
        position: Position,
        every: int | None = None,
        interruption: Interruption | None = None,
        metrics: Arrays | None = None,
        kept: range = range(0),
        writes: bool = True,
    ) -> None:
        super().__init__()
        self.position = position
        self._folder, self._metadata, self._monitor = folder, metadata, monitor
        self._steps, self._every, self._writes = steps, every, writes
        self._kept = kept
        self._interruption = interruption or Interruption()
        self._metrics = metrics if position.step else None
        self._stop = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._metrics is not None:
            restore_metrics(self.model, self._metrics)
            self._metrics = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        before = self.position.step
        step = int(self.model.optimizer.iterations.numpy()) - self.position.epoch * self._steps
        self.position = replace(self.position, step=step)
        self._stop = self._interruption.agreed()
        if step >= self._steps:
            return  # on_epoch_end follows at once
        if self._stop or (self._every and step // self._every > before // self._every):
            self._save()
        if self._stop:
            raise Interrupted(f"after step {step} of epoch {self.position.epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        best = (logs or {}).get(self._monitor)
        arrays = state_arrays(self.model)
        weights = {
            key.removeprefix("model/"): a for key, a in arrays.items() if key.startswith("model/")
        }
        metadata = {**self._metadata, "epoch": str(epoch + 1)}
        self.position = replace(self.position, epoch=epoch + 1, step=0)
        if best is not None and (self.position.best is None or best > self.position.best):
            self.position = replace(self.position, best=float(best), best_epoch=epoch + 1)
            self._write_weights(BEST, weights, metadata)
        self._write_weights(LAST, weights, metadata)
        if epoch + 1 in self._kept:
            self._write_weights(epoch_weights(self._folder, epoch + 1).name, weights, metadata)
        self._save(arrays)
        self._stop = self._interruption.agreed() or self._stop
        if self._stop:
            raise Interrupted(f"after epoch {epoch + 1}")

    def _write_weights(self, name: str, weights: Arrays, metadata: dict[str, str]) -> None:
        if self._writes:
            save_arrays(self._folder / name, weights, metadata)

    def _save(self, arrays: Arrays | None = None) -> None:
        arrays = state_arrays(self.model) if arrays is None else arrays
        if self._writes:
            save_checkpoint(self._folder, arrays, self.position)
