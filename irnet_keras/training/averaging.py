"""Exponential moving average of the weights while training, and what is made of it at the end.

The averages are slots of the optimizer: checkpoints hold them. Averaged latent weights may have
other signs than any state of the training had, so batch norms are estimated anew before use.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

AVERAGE = "average.safetensors"
REESTIMATION_IMAGES = 10_000


def keep_weights_after_fit(optimizer: Any) -> None:
    """Keep ``fit`` from leaving the averages in the model when it ends.

    A resumed training starts from the weights themselves, and must not differ from one that was
    not interrupted.
    """
    optimizer.finalize_variable_values = lambda variables: None


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
        layer
        for layer in model.submodules
        if isinstance(layer, tf.keras.layers.BatchNormalization)
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
