"""Averages of the weights, exponential or of the last epochs, and what is made of them at the end.

Exponential averages are slots of the optimizer: checkpoints hold them. The weights of the last
epochs are files of the run folder, written before the checkpoint that names their epoch. Averaged
latent weights may have other signs than any state of the training had, so batch norms are estimated
anew before use.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.models.weights import Arrays, load_arrays, save_weights
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


def epoch_weights(folder: Path, epoch: int) -> Path:
    """Where a run with ``average_last`` keeps the weights behind an epoch (1-based)."""
    return folder / f"epoch-{epoch:04d}.safetensors"


def drop_epochs(folder: Path, config: TrainConfig) -> None:
    """Delete the weights of epochs that a longer run does not average."""
    kept = {epoch_weights(folder, epoch) for epoch in config.averaged_epochs}
    for path in folder.glob("epoch-*.safetensors"):
        if path not in kept:
            path.unlink()


def check_epochs(folder: Path, config: TrainConfig, done: int) -> None:
    """Refuse to continue where the weights of an epoch to be averaged are missing.

    Raises:
        UsageError: saying which length the run may have.
    """
    for epoch in config.averaged_epochs:
        path = epoch_weights(folder, epoch)
        if epoch <= done and not path.exists():
            raise UsageError(
                f"average_last={config.average_last} needs {path}, which is not there: epochs must "
                f"be at least {done + len(config.averaged_epochs)}, got {config.epochs}"
            )


def use_mean(model: tf.keras.Model, states: Sequence[Arrays]) -> None:
    """Replace the trainable weights by the mean over several states of the model's weights."""
    for variable in model.trainable_variables:
        total = sum(arrays[variable.name].astype(np.float64) for arrays in states)
        variable.assign(total / len(states))


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
        config: of the run, with ``ema_decay`` or ``average_last``.
        folder: run folder, its checkpoint at the end.
        task: of the run.
        data: its training images estimate the batch norms, its validation images score.
        steps: batches an epoch has.

    Returns:
        ``average_validation_<metric>`` where there are validation images.

    Raises:
        UsageError: the weights of an epoch are missing or damaged.
    """
    model = compile_model(config)
    position, _ = load_checkpoint(folder, model)
    if config.average_last is None:
        use_averages(model)
    else:
        paths = [epoch_weights(folder, epoch) for epoch in config.averaged_epochs]
        use_mean(model, [load_arrays(path)[0] for path in paths])
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
