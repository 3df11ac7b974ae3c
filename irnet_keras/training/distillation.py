"""Distillation: a student learns from a trained network's logits beside the labels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.models.resolve import resolve_model
from irnet_keras.training.checkpoint import LAST
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.run_folder import CONFIG


class Student(tf.keras.Model):  # type: ignore[misc]
    """A functional model that trains with ``(1 - w) * task + w * T**2 * KL + penalties``.

    KL is the divergence of the student's from the teacher's class probabilities, both with logits
    divided by T, averaged over the batch. ``loss`` in the logs stays that of the task with
    penalties, ``distill_loss`` is ``T**2 * KL``; validation knows no teacher.

    Args:
        teacher: from inputs to logits, in inference mode; what it holds is no part of this model.
        weight: w, 0..1.
        temperature: T, > 0.

    References:
        Hinton et al., "Distilling the Knowledge in a Neural Network".
    """

    def __init__(
        self,
        *args: Any,
        teacher: Callable[[tf.Tensor], tf.Tensor],
        weight: float,
        temperature: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._teacher_logits = teacher
        self._weight, self._temperature = weight, temperature
        mean = tf.keras.metrics.Mean(name="distill_loss")
        # (as an attribute, its sums would be weights of the network)
        self._distill_loss: Callable[[], Any] = lambda: mean

    @property
    def metrics(self) -> list[Any]:
        return [*super().metrics, self._distill_loss()]

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, sample_weight = tf.keras.utils.unpack_x_y_sample_weight(data)
        expected = self._teacher_logits(x)
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            task = self.compute_loss(x, y, logits, sample_weight)
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            penalty = tf.add_n(self.losses) / replicas if self.losses else 0.0
            distill = distillation_loss(expected, logits, self._temperature)
            loss = (
                (1 - self._weight) * (task - penalty) + self._weight * distill / replicas + penalty
            )
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._distill_loss().update_state(distill)
        return self.compute_metrics(x, y, logits, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        logs: dict[str, Any] = super().test_step(data)
        del logs["distill_loss"]  # of no step: it would read 0
        return logs


def distillation_loss(expected: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """``T**2 * KL(softmax(expected / T) || softmax(logits / T))``, averaged over the batch.

    Args:
        expected: the teacher's logits, ``(batch, classes)``.
        logits: the student's, same shape.
        temperature: T.
    """
    log_p = tf.nn.log_softmax(expected / temperature)
    log_q = tf.nn.log_softmax(logits / temperature)
    divergence = tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), -1)
    return temperature**2 * tf.reduce_mean(divergence)


def with_teacher(model: tf.keras.Model, config: TrainConfig) -> tf.keras.Model:
    """The same network (layers, weights), to be trained with ``config.teacher``.

    Raises:
        UsageError: the teacher cannot be loaded, or is of other inputs or classes.
    """
    teacher = load_teacher(str(config.teacher))
    for what in ("input_shape", "output_shape"):
        own, other = getattr(model, what), getattr(teacher, what)
        if own != other:
            raise UsageError(
                f"teacher must have the {what.replace('_', ' ')} of {config.network}, {own}; "
                f"{config.teacher} has {other}"
            )
    if len(model.output_shape) != 2:
        raise UsageError(f"teacher goes with networks that classify, not with {config.network}")
    return Student(
        model.inputs,
        model.outputs,
        teacher=lambda x: tf.stop_gradient(teacher(x, training=False)),
        weight=config.distill_weight,
        temperature=config.distill_temperature,
        name=model.name,
    )


def load_teacher(spec: str) -> tf.keras.Model:
    """A registry model with shipped weights, a weights file, or the last weights of a run.

    Raises:
        UsageError: none of these, or unreadable.
    """
    path = Path(spec)
    weights = path / LAST if (path / CONFIG).is_file() else path
    try:
        return resolve_model(str(weights) if weights != path else spec).model
    except UsageError as error:
        raise UsageError(f"teacher: {error}") from error
