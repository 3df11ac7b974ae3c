"""What changes while a recipe trains, and what watches it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from irnet_keras.schedules import warmup_cosine, warmup_steps_down
from irnet_keras.training.callbacks import (
    EDEScheduler,
    ReportDeadFilters,
    StopOnNaN,
    find_quantizers,
)
from irnet_keras.training.config import TrainConfig


class LearningRate(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Set the optimizer's learning rate before every step from its own step counter."""

    def __init__(self, config: TrainConfig, steps_per_epoch: int, first_epoch: int = 0) -> None:
        super().__init__()
        self._first = first_epoch * steps_per_epoch
        self._total = config.epochs * steps_per_epoch
        self._warmup = min(round(config.warmup_epochs * steps_per_epoch), self._total - 1)
        self._peak, self._from = config.peak_learning_rate, config.warmup_from
        self._rate: Callable[[int, int, float, int, float], float] = warmup_cosine
        if config.schedule == "step":
            self._rate = partial(
                warmup_steps_down, boundaries=config.step_boundaries, factor=config.step_factor
            )

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = min(int(self.model.optimizer.iterations.numpy()) - self._first, self._total)
        rate = self._rate(step, self._total, self._peak, self._warmup, self._from)
        self.model.optimizer.learning_rate.assign(rate)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate.numpy())


def schedule_callbacks(
    config: TrainConfig,
    model: tf.keras.Model,
    steps: int,
    log: Callable[[str], None],
    first_epoch: int = 0,
) -> list[tf.keras.callbacks.Callback]:
    """Learning rate, EDE, NaN stop and dead filters: what acts on or watches the training.

    Args:
        config: the recipe.
        model: compiled.
        steps: per epoch.
        log: receives warnings.
        first_epoch: where the schedules begin; they last ``config.epochs`` from there.
    """
    ede = EDEScheduler(
        config.ede_t_min,
        config.ede_t_max,
        config.ede_update,
        config.epochs,
        steps_per_epoch=steps,
        first_epoch=first_epoch,
    )
    return [
        LearningRate(config, steps, first_epoch),
        *([ede] if find_quantizers(model) else []),
        StopOnNaN(),
        ReportDeadFilters(log),
    ]
