"""Keras callbacks: EDE schedule, NaN stop, dead filters, progress."""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.errors import CheckFailed
from irnet_keras.quantizers.ede import EDEQuantizer
from irnet_keras.quantizers.libra_pb import LibraPB, constant_filters
from irnet_keras.schedules import ede_t


def find_quantizers(model: tf.keras.Model) -> list[EDEQuantizer]:
    """Every EDE quantizer of a model, nested models and wrapped layers included, once each."""
    found = {id(q): q for q in model.submodules if isinstance(q, EDEQuantizer)}
    return list(found.values())


class EDEScheduler(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Set ``t`` of every EDE quantizer while ``model.fit`` runs.

    ``t`` follows :func:`irnet_keras.schedules.ede_t`, from ``t_min`` at the first step (or
    epoch) to ``t_max`` at the last. The position is read from ``optimizer.iterations`` (per
    step) or the epoch number (per epoch), so a resumed training continues exactly. The value
    in use is logged as ``ede_t``.

    Args:
        t_min: sharpness at the start.
        t_max: sharpness at the end.
        update: ``"step"`` or ``"epoch"``.
        total_epochs: length of the schedule; default the ``epochs`` given to ``fit``.
        steps_per_epoch: default what ``fit`` reports; needed for ``"step"`` when ``fit``
            cannot know it.
        first_epoch: where the schedule begins, 0-based.

    Raises:
        ValueError: at the start of training, when the model holds no EDE quantizer or the
            number of steps is unknown.
    """

    def __init__(
        self,
        t_min: float = 1e-1,
        t_max: float = 1e1,
        update: str = "step",
        total_epochs: int | None = None,
        steps_per_epoch: int | None = None,
        first_epoch: int = 0,
    ) -> None:
        super().__init__()
        if update not in ("step", "epoch"):
            raise ValueError(f"update must be 'step' or 'epoch', got {update!r}")
        ede_t(0.0, t_min, t_max)  # validates the range
        self.t_min, self.t_max, self.update = t_min, t_max, update
        self.total_epochs, self.steps_per_epoch = total_epochs, steps_per_epoch
        self._first_epoch = first_epoch
        self._assign: Callable[[tf.Tensor], None] | None = None
        self.current_t = t_min

    def _length(self) -> int:
        epochs = self.total_epochs or self.params.get("epochs")
        if self.update == "epoch":
            return int(epochs)
        return int(epochs) * self._steps()

    def _steps(self) -> int:
        steps = self.steps_per_epoch or self.params.get("steps")
        if not steps:
            raise ValueError("EDEScheduler: steps per epoch unknown, pass steps_per_epoch")
        return int(steps)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        quantizers = find_quantizers(self.model)
        if not quantizers:
            raise ValueError("EDEScheduler: the model holds no EDE quantizer (build it first)")

        @tf.function  # type: ignore[untyped-decorator]
        def assign(t: tf.Tensor) -> None:
            for q in quantizers:
                q.t.assign(tf.cast(t, q.t.dtype))

        self._assign = assign

    def _set(self, position: int) -> None:
        last = max(1, self._length() - 1)
        self.current_t = ede_t(min(1.0, position / last), self.t_min, self.t_max)
        if self._assign is None:
            raise RuntimeError("EDEScheduler: on_train_begin has not run")
        self._assign(tf.constant(self.current_t, tf.float64))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.update == "epoch":
            self._set(epoch - self._first_epoch)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.update == "step":
            step = int(self.model.optimizer.iterations.numpy())
            self._set(step - self._first_epoch * self._steps())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["ede_t"] = self.current_t


class StopOnNaN(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """End training at the first step whose loss is not finite.

    Raises:
        CheckFailed: naming step and epoch. No checkpoint is written after that step.
    """

    _supports_tf_logs = True

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            step = int(self.model.optimizer.iterations.numpy())
            raise CheckFailed(
                f"loss is {loss} at step {step} (epoch {self._epoch + 1}); training stopped, "
                "the last checkpoint is kept"
            )


class ReportDeadFilters(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Log how many binary filters are constant (std 0) after each epoch.

    Adds ``dead_filters`` to the logs and passes one line per affected layer to ``log``.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        super().__init__()
        self._log = log

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        total = 0
        for layer, dead in find_dead_filters(self.model):
            total += len(dead)
            self._log(f"warning: {layer}: constant filters {dead} (std 0) carry no information")
        if logs is not None:
            logs["dead_filters"] = float(total)


def find_dead_filters(model: tf.keras.Model) -> list[tuple[str, list[int]]]:
    """(layer name, indices of constant filters) for every layer with a LibraPB kernel."""
    found = []
    for layer in model.submodules:
        quantizer = getattr(layer, "kernel_quantizer", None)
        if isinstance(quantizer, LibraPB):
            latent = getattr(layer.kernel, "latent_variable", layer.kernel)
            dead = np.flatnonzero(constant_filters(latent, quantizer.per).numpy())
            if len(dead):
                found.append((layer.name, [int(i) for i in dead]))
    return found


class Progress(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """One line per epoch on stderr, and a bar with the time left where stderr is a terminal."""

    _supports_tf_logs = True

    def __init__(self, epochs: int, steps: int, batch_size: int) -> None:
        super().__init__()
        self._epochs, self._steps, self._batch = epochs, steps, batch_size
        self._bar: Any = None
        self._begun = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._begun = time.monotonic()
        if sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(f"epoch {epoch + 1}/{self._epochs}", total=self._steps)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=batch + 1)

    def close(self) -> None:
        """Take the bar off the screen (also after an exception)."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.close()
        seconds = time.monotonic() - self._begun
        left = (self._epochs - epoch - 1) * seconds
        values = "  ".join(
            f"{k} {float(v):.4g}" for k, v in (logs or {}).items() if k != "dead_filters"
        )
        sys.stderr.write(
            f"epoch {epoch + 1}/{self._epochs}  {values}  "
            f"{self._steps * self._batch / seconds:.0f} images/s  {seconds:.0f} s, "
            f"about {left / 60:.0f} min left\n"
        )
        sys.stderr.flush()
