"""Exponential moving average of the weights while training, and what is made of it at the end.

The averages are slots of the optimizer: checkpoints hold them. Averaged latent weights may have
other signs than any state of the training had, so batch norms are estimated anew before use.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.models.weights import save_weights
from irnet_keras.training.checkpoint import load_checkpoint
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.task import Feed, Task, TaskData

AVERAGE = "average.safetensors"
REESTIMATION_IMAGES = 10_000


def use_averages(model: tf.keras.Model) -> None:
    """Replace the trainable weights by their averages; the optimizer must have ``use_ema``."""
    optimizer = model.optimizer
    type(optimizer).finalize_variable_values(optimizer, model.trainable_variables)


def reestimate_batch_norms(model: tf.keras.Model, batches: Iterable[Any]) -> int:
    """Set moving means and variances to the averages of the batches' own.

    Args:
        model: with batch norms; nothing else of it changes.
        batches: inputs, or tuples that begin with them; all of one size.

    Returns:
        number of batches.

    Raises:
        ValueError: no batch.
    """
    norms = [
        layer for layer in model.submodules if isinstance(layer, tf.keras.layers.BatchNormalization)
    ]
    variables = [v for layer in norms for v in (layer.moving_mean, layer.moving_variance)]
    momenta = [layer.momentum for layer in norms]
    sums = [np.zeros(v.shape, np.float64) for v in variables]
    count = 0
    try:
        for layer in norms:
            layer.momentum = 0.0  # a training step then stores the batch's own statistics
        step = tf.function(lambda x: model(x, training=True), reduce_retracing=True)
        for batch in batches:
            step(batch[0] if isinstance(batch, tuple) else batch)
            count += 1
            for total, variable in zip(sums, variables, strict=True):
                total += variable.numpy()
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
    if not count:
        raise ValueError("batch norms cannot be estimated from no batch")
    for total, variable in zip(sums, variables, strict=True):
        variable.assign(total / count)
    return count


def save_average(
    config: TrainConfig, folder: Path, task: Task, data: TaskData, steps: int
) -> dict[str, Any]:
    """Write ``average.safetensors`` of a finished run, batch norms estimated anew; score it.

    Args:
        config: of the run, with ``ema_decay``.
        folder: run folder, its checkpoint at the end.
        task: of the run.
        data: its training images estimate the batch norms, its validation images score.
        steps: batches an epoch has.

    Returns:
        ``average_validation_<metric>`` where there are validation images.
    """
    model = compile_model(config)
    position, _ = load_checkpoint(folder, model)
    use_averages(model)
    count = max(1, min(steps, REESTIMATION_IMAGES // config.batch_size))
    reestimate_batch_norms(model, data.training(config, Feed(epoch=position.epoch)).take(count))
    metadata = {"recipe": config.name, "config": config.model_dump_json()}
    save_weights(model, folder / AVERAGE, {**metadata, "epoch": str(position.epoch)})
    validation = data.validation()
    if validation is None:
        return {}
    metric = task.monitor.removeprefix("val_")
    value = model.evaluate(validation, verbose=0, return_dict=True)[metric]
    return {f"average_validation_{metric}": float(value)}
