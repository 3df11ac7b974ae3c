"""Diagnostics of a running training: what binarization keeps, once per epoch.

Adds one line per epoch to ``diagnostics.jsonl`` in the run folder and scalars and histograms to
TensorBoard. Reads weights and a fixed probe of images only: the training's bits do not change.
"""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

from irnet_keras.files import atomic_write
from irnet_keras.models.weights import Arrays, load_arrays, variable_arrays
from irnet_keras.quantizers.ede import EDEQuantizer, ede_gradient
from irnet_keras.training.checkpoint import LAST, Position
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.information import (
    LayerInformation,
    Signs,
    binary_kernels,
    kernel_signs,
    layer_information,
    standardized,
)
from irnet_keras.training.inspection import DIAGNOSTICS, EpochRow
from irnet_keras.training.strategies import Devices
from irnet_keras.training.task import Feed, TaskData

# A straight-through estimator's derivative is 1; a tenth of it still moves a weight.
USEFUL_GRADIENT = 0.1
PROBE_IMAGES = 128


class GradientProbe:
    """Shares of binary inputs with a useful gradient, on a fixed batch in inference mode.

    Args:
        model: functional, with convolutions whose ``input_quantizer`` is an EDE quantizer.
        inputs: float32, as the model takes them.
    """

    def __init__(self, model: tf.keras.Model, inputs: NDArray[Any]) -> None:
        layers = [
            layer
            for layer in model.layers
            if isinstance(getattr(layer, "input_quantizer", None), EDEQuantizer)
        ]
        self._names = [layer.name.removesuffix("_conv") for layer in layers]
        self._inputs = tf.constant(inputs)
        taps: Any = None
        if layers:
            taps = tf.keras.Model(model.inputs, [layer.input for layer in layers])

        @tf.function  # type: ignore[untyped-decorator]
        def shares(batch: tf.Tensor) -> list[tf.Tensor]:
            values = tf.nest.flatten(taps(batch, training=False))
            return [
                useful_share(x, layer.input_quantizer.t)
                for x, layer in zip(values, layers, strict=True)
            ]

        self._shares = shares

    def __call__(self) -> dict[str, float]:
        """Share by layer name (without ``_conv``)."""
        if not self._names:
            return {}
        values = self._shares(self._inputs)
        return {name: float(v) for name, v in zip(self._names, values, strict=True)}


def useful_share(x: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """Share of ``x`` strictly inside (-1, 1) where EDE's derivative is at least the threshold.

    Args:
        x: float, what hardtanh made: clipped values are exactly -1 or +1.
        t: EDE's sharpness.
    """
    t = tf.cast(t, x.dtype)
    derivative = ede_gradient(x, t, tf.ones_like(x))
    useful = (derivative >= USEFUL_GRADIENT) & (tf.abs(x) < 1)
    return tf.reduce_mean(tf.cast(useful, tf.float32))


class Diagnostics(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Write :class:`irnet_keras.training.inspection.EpochRow` after each epoch.

    Args:
        folder: run folder; its ``diagnostics.jsonl`` holds the rows of completed epochs only.
        probe: inputs of the probe, or None for weights only.
        before: weights at the end of the last completed epoch, where the run continues within an
            epoch; default: those of the model when training begins.
        write: whether this process writes files (one of several workers does).
    """

    def __init__(
        self,
        folder: Path,
        probe: NDArray[Any] | None,
        before: Arrays | None = None,
        write: bool = True,
    ) -> None:
        super().__init__()
        self._folder, self._inputs, self._before, self._write = folder, probe, before, write
        self._signs: Signs = {}
        self._board: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        arrays = variable_arrays(self.model.weights)
        self._kernels = binary_kernels(arrays)
        self._signs = kernel_signs(arrays if self._before is None else self._before, self._kernels)
        self._before = None  # a second call of fit begins where the first one ended
        if self._inputs is not None:
            self._probe = GradientProbe(self.model, self._inputs)
        if self._write:
            board = self._folder / "tensorboard" / "diagnostics"
            self._board = tf.summary.create_file_writer(str(board))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        arrays = variable_arrays(self.model.weights)
        useful = {} if self._inputs is None else self._probe()
        layers = layer_information(arrays, self._signs, useful)
        self._signs = kernel_signs(arrays, self._kernels)
        if not layers or not self._write:
            return
        row = EpochRow(epoch=epoch + 1, layers=tuple(layers))
        path = self._folder / DIAGNOSTICS
        text = path.read_text() if path.exists() else ""
        atomic_write(path, text + json.dumps(row.model_dump()) + "\n")
        with self._board.as_default(step=epoch + 1):
            _to_tensorboard(layers, arrays)
        self._board.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._board is not None:
            self._board.close()


def run_diagnostics(
    folder: Path, data: TaskData, config: TrainConfig, position: Position, devices: Devices
) -> Diagnostics:
    """Diagnostics of a run that continues at ``position``; the probe is of validation images."""
    before = None
    if position.step:  # the flip rate counts from the end of the epoch before
        before, metadata = load_arrays(folder / LAST) if (folder / LAST).exists() else ({}, {})
        if metadata.get("epoch") != str(position.epoch):  # the newest checkpoint was damaged
            before = {}
    probe = None
    if devices.strategy is None:  # (the network of a strategy runs within it only)
        batches = data.validation() or data.training(config, Feed())
        probe = next(iter(batches))[0][:PROBE_IMAGES].numpy()
    return Diagnostics(folder, probe, before, devices.writes)


def _to_tensorboard(layers: list[LayerInformation], arrays: Arrays) -> None:
    for info in layers:
        for name, value in info.model_dump(exclude={"layer", "weights", "filters"}).items():
            if value is not None:
                tf.summary.scalar(f"{name}/{info.layer}", value)
        if info.kernel_t is not None:
            weights = standardized(arrays[f"{info.layer}_conv/kernel:0"])
            tf.summary.histogram(f"standardized_weights/{info.layer}", weights, buckets=30)
