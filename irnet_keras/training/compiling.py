"""From a recipe to a compiled Keras model."""

import contextlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from irnet_keras.models import build_model, network_options
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.decay import add_penalties
from irnet_keras.training.distillation import with_teacher
from irnet_keras.training.task import get_task


def be_deterministic() -> None:
    """Make TensorFlow's operations give the same bits in every run."""
    with contextlib.suppress(RuntimeError):  # already on, or set for this process
        tf.config.experimental.enable_op_determinism()


def compile_model(
    config: TrainConfig, build: Callable[..., tf.keras.Model] | None = None
) -> tf.keras.Model:
    """Build and compile the network of a recipe; weights depend only on ``config.seed``.

    Args:
        config: the recipe.
        build: in place of :func:`irnet_keras.models.build_model`, for networks that no recipe has.
    """
    tf.keras.utils.set_random_seed(config.seed)
    model = (build or build_model)(
        **network_options(config.model_dump()),
        weight_decay=config.weight_decay,
        residual_gamma=config.residual_gamma,
        compute=config.compute,
        t=config.ede_t_min,
    )
    if config.sync_batch_norm:
        _synchronize_batch_norms(model)
    add_penalties(model, config)
    if config.teacher is not None:
        model = with_teacher(model, config)
    optimizers = tf.keras.optimizers
    average: dict[str, Any] = {}
    if config.ema_decay is not None:
        average = {"use_ema": True, "ema_momentum": config.ema_decay}
    if config.optimizer == "sgd":
        optimizer = optimizers.SGD(
            config.peak_learning_rate, momentum=config.momentum, nesterov=config.nesterov, **average
        )
    else:
        optimizer = optimizers.Adam(config.peak_learning_rate, **average)
    _keep_weights_after_fit(optimizer)
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


def _keep_weights_after_fit(optimizer: Any) -> None:
    """Keep ``fit`` from leaving the averages in the model when it ends.

    A resumed training starts from the weights themselves, and must not differ from one that was
    not interrupted.
    """
    optimizer.finalize_variable_values = lambda variables: None
