"""L2 penalties beyond those of float kernels, which the networks bring themselves."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from irnet_keras.training.config import TrainConfig


def add_penalties(model: tf.keras.Model, config: TrainConfig) -> None:
    """Add ``c / 2 * sum(w**2)`` to the loss, the papers' form.

    ``norm_decay`` is c of every one-dimensional variable that trains (scales and offsets of batch
    norms, biases), ``latent_decay`` c of the latent weights behind kernel quantizers. With
    ``weight_decay``, 1e-4 each, this is what the released code of IR-Net has. Nothing is added
    where c is 0, and nothing of it is saved with the model.
    """
    for layer, variable in _trainable(model):
        latent = getattr(layer, "kernel_quantizer", None) is not None
        if latent and len(variable.shape) > 1:
            _add(layer, variable, config.latent_decay)
        elif len(variable.shape) == 1:
            _add(layer, variable, config.norm_decay)


def _trainable(model: tf.keras.Model) -> Iterator[tuple[Any, Any]]:
    for layer in model.layers:
        for variable in layer.trainable_variables:
            yield layer, variable


def _add(layer: Any, variable: Any, decay: float) -> None:
    if decay:
        layer.add_loss(lambda: decay / 2 * tf.reduce_sum(tf.square(variable)))
