"""Random networks that look trained."""

from typing import Any

import numpy as np
import tensorflow as tf

import irnet_keras  # noqa: F401

SEED = 20260101


def randomize_batch_norms(model: Any, seed: int = SEED) -> Any:
    """Statistics as after training: scales of both signs, means and variances off 0 and 1."""
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            n = int(layer.moving_mean.shape[0])
            spread = 24.0 if "block" in layer.name else 1.0  # sqrt(576): sums of 3x3x64 signs
            layer.set_weights(
                [
                    rng.normal(1, 0.5, n) * rng.choice([-1, 1], n, p=[0.2, 0.8]),
                    rng.normal(0, 0.3, n),
                    rng.normal(0, 0.3 * spread, n),
                    rng.uniform(0.5, 1.5, n) * spread**2,
                ]
            )
    return model
