"""From a recipe to a compiled Keras model."""

import contextlib

import tensorflow as tf

from irnet_keras.models import build_model, network_options
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.task import get_task


def be_deterministic() -> None:
    """Make TensorFlow's operations give the same bits in every run."""
    with contextlib.suppress(RuntimeError):  # already on, or set for this process
        tf.config.experimental.enable_op_determinism()


def compile_model(config: TrainConfig) -> tf.keras.Model:
    """Build and compile the network of a recipe; weights depend only on ``config.seed``."""
    tf.keras.utils.set_random_seed(config.seed)
    model = build_model(
        **network_options(config.model_dump()),
        weight_decay=config.weight_decay,
        residual_gamma=config.residual_gamma,
        compute=config.compute,
        t=config.ede_t_min,
    )
    if config.sync_batch_norm:
        _synchronize_batch_norms(model)
    optimizers = tf.keras.optimizers
    if config.optimizer == "sgd":
        optimizer = optimizers.SGD(
            config.peak_learning_rate, momentum=config.momentum, nesterov=config.nesterov
        )
    else:
        optimizer = optimizers.Adam(config.peak_learning_rate)
    optimizer.jit_compile = False  # XLA on CPU halves the speed of these networks
    task = get_task(config)
    model.compile(
        optimizer=optimizer,
        loss=task.loss(config),
        metrics=task.metrics(),
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _synchronize_batch_norms(model: tf.keras.Model) -> None:
    """Batch statistics over all replicas; the fused kernel cannot do that."""
    for layer in model.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.synchronized, layer.fused = True, False
