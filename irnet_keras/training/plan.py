"""What a recipe would cost: network, memory and time, found by a few real steps."""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import larq as lq
import numpy as np
import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.models.counting import Counts, count
from irnet_keras.models.sizes import with_image_size
from irnet_keras.training.compiling import be_deterministic, compile_model
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.scheduling import schedule_callbacks
from irnet_keras.training.strategies import ONE_DEVICE, Devices
from irnet_keras.training.task import Feed, TaskData, get_task

STEPS = 20
_WARM_UP = 3  # the first builds the graph
_VALIDATION_BATCHES = 3  # so does the first of these
# Training images of data sets that may not be there.
_TRAINING_IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "imagenet": 1_281_167}


@dataclass(frozen=True)
class Memory:
    """Bytes that a training needs on every replica.

    Attributes:
        parameters: all variables of the network.
        gradients: of the trainable ones.
        optimizer: its slots.
        activations: what the backward pass reads again at the replica's batch: the output of
            every layer, and the signs that binary layers multiply. An estimate: TensorFlow
            frees some of it early and needs room to work.
        peak_process: largest resident memory of this process so far, measured, TensorFlow and the
            data included.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    peak_process: int

    @property
    def estimate(self) -> int:
        """Sum of the first four."""
        return self.parameters + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class Speed:
    """Time of training, measured.

    Attributes:
        data: what the steps were run on.
        num_images: of an epoch, or None for data that is not there and whose size is unknown.
        steps_per_epoch: likewise.
        steps_timed: behind the warm-up.
        seconds_per_step: median.
        seconds_per_epoch: or None; with its validation if the data is there.
        seconds_in_all: of all epochs, or None.
    """

    data: str
    num_images: int | None
    steps_per_epoch: int | None
    steps_timed: int
    seconds_per_step: float
    seconds_per_epoch: float | None
    seconds_in_all: float | None


@dataclass(frozen=True)
class Plan:
    """What :func:`make_plan` finds.

    Attributes:
        image: (height, width, channels) of an input; super-resolution trains on crops.
        summary: table of the layers, by Larq.
        counts: parameters and multiply-accumulates of one image.
        memory: see there.
        speed: see there.
    """

    image: tuple[int, int, int]
    summary: str
    counts: Counts
    memory: Memory
    speed: Speed


class _Timer(tf.keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.ends.append(time.perf_counter())


class _Synthetic:
    """Random data in place of a data set, of the sizes that a network takes and gives."""

    def __init__(self, model: Any, num_images: int) -> None:
        self._model, self.num_images = model, num_images

    def training(self, config: TrainConfig, feed: Feed) -> tf.data.Dataset:
        rows = feed.rows(config.batch_size)
        size = rows.stop - rows.start
        rng = np.random.default_rng(config.seed)
        images = rng.standard_normal((size, *self._model.input_shape[1:]), np.float32)
        targets = np.zeros((size, *self._model.output_shape[1:]), np.float32)
        if targets.ndim == 2:
            targets = rng.integers(0, targets.shape[1], size)
        return tf.data.Dataset.from_tensors((images, targets)).repeat()

    def validation(self) -> None:
        return None


def make_plan(
    config: TrainConfig,
    *,
    data_dir: str | None = None,
    data: TaskData | None = None,
    devices: Devices = ONE_DEVICE,
    log: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Build the network of a recipe, train it for some steps and throw it away.

    Args:
        config: the recipe.
        data_dir: TFDS data folder; without the data set there, random images are used.
        data: data instead of the recipe's.
        devices: what to train on.
        log: receives progress lines.

    Raises:
        UsageError: ``batch_size`` larger than the data, or not a multiple of the replicas.
    """
    devices.check_batch(config.batch_size)
    be_deterministic()
    with devices.scope():
        model = compile_model(config)
    sized = model
    if None in model.input_shape[1:]:
        sized = with_image_size(model, config.crop_size, config.crop_size)
    lines: list[str] = []
    lq.models.summary(sized, print_fn=lines.append)
    reason = ""
    if data is None:
        try:
            data = get_task(config).load(config, data_dir)
        except UsageError as error:
            reason = f"random images, for {error}"
    log(f"timing {STEPS} steps ...")
    random = _Synthetic(sized, config.batch_size)
    speed = _time(config, model, data, random, devices, reason)
    memory = _memory(model, sized, config, devices)
    return Plan(sized.input_shape[1:], "\n".join(lines), count(sized), memory, speed)


def _time(
    config: TrainConfig,
    model: Any,
    data: TaskData | None,
    random: _Synthetic,
    devices: Devices,
    reason: str,
) -> Speed:
    if data is not None:
        images: int | None = data.num_images
    else:
        images = config.train_images or _TRAINING_IMAGES.get(config.dataset)
    steps = None if images is None else images // config.batch_size
    if steps == 0:
        raise UsageError(
            f"batch_size must be at most the {images} training images, got {config.batch_size}"
        )
    timer = _Timer()
    model.fit(
        devices.training(data or random, config, 0, 0),
        steps_per_epoch=_WARM_UP + STEPS,
        callbacks=[*schedule_callbacks(config, model, steps or STEPS, lambda line: None), timer],
        verbose=0,
    )
    per_step = statistics.median(np.diff(timer.ends[_WARM_UP - 1 :]).tolist())
    epoch = None
    if steps is not None:
        epoch = steps * per_step + (_validation_seconds(model, data) if data else 0.0)
    return Speed(
        data=reason or f"{config.dataset}, as it is trained on",
        num_images=images,
        steps_per_epoch=steps,
        steps_timed=STEPS,
        seconds_per_step=per_step,
        seconds_per_epoch=epoch,
        seconds_in_all=None if epoch is None else epoch * config.epochs,
    )


def _validation_seconds(model: Any, data: TaskData) -> float:
    """Of one pass over the validation split, from its first batches."""
    batches = data.validation()
    if batches is None:
        return 0.0
    ends = []
    for batch in batches.take(_VALIDATION_BATCHES):
        model.test_on_batch(*batch)
        ends.append(time.perf_counter())
    spans = np.diff(ends).tolist()
    return statistics.median(spans) * int(batches.cardinality().numpy()) if spans else 0.0


def _bytes(variables: Any) -> int:
    return sum(int(np.prod(v.shape)) * tf.as_dtype(v.dtype).size for v in variables)


def _memory(model: Any, sized: Any, config: TrainConfig, devices: Devices) -> Memory:
    """``sized`` is the model with a known input size."""
    per_image = 0
    for layer in sized._flatten_layers(include_self=False):
        if isinstance(layer, tf.keras.Model) or not layer._inbound_nodes:
            continue
        for tensor in tf.nest.flatten(layer.output):
            per_image += _numbers(tensor) * tensor.dtype.size
        if getattr(layer, "input_quantizer", None) is not None:
            per_image += _numbers(layer.input) * layer.input.dtype.size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Memory(
        parameters=_bytes(model.weights),
        gradients=_bytes(model.trainable_variables),
        optimizer=_bytes(model.optimizer.variables),
        activations=per_image * (config.batch_size // devices.replicas),
        peak_process=peak * (1 if sys.platform == "darwin" else 1024),
    )


def _numbers(tensor: Any) -> int:
    """Of one image."""
    return int(np.prod(tensor.shape[1:], dtype=np.int64))
