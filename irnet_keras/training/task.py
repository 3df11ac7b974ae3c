"""What a training is about: data, loss, metrics and score. ``train`` knows no more than this."""

from dataclasses import dataclass
from typing import Any, Protocol

from irnet_keras.models import get_network
from irnet_keras.models.networks import DATASETS
from irnet_keras.training.config import TrainConfig


@dataclass(frozen=True)
class Feed:
    """Which batches a process reads: where it starts and which rows of every batch are its own.

    Attributes:
        epoch: first epoch, 0-based.
        step: first step of that epoch, 0-based.
        worker: this process, 0-based.
        workers: processes that share every batch; divides ``config.batch_size``.
    """

    epoch: int = 0
    step: int = 0
    worker: int = 0
    workers: int = 1

    def rows(self, batch_size: int) -> slice:
        """This process's rows of a batch of all processes."""
        size = batch_size // self.workers
        return slice(self.worker * size, (self.worker + 1) * size)


class TaskData(Protocol):
    """Training and validation data of a task."""

    @property
    def num_images(self) -> int:
        """Training images; an epoch has ``num_images // batch_size`` steps."""

    def training(self, config: TrainConfig, feed: Feed) -> Any:
        """Endless ``tf.data.Dataset`` of (inputs, targets), the rest of every epoch dropped.

        The batch of a step depends on (``config.seed``, epoch, step) only, so that a resumed run
        and a run on several processes see what one uninterrupted process sees. Elements are rows
        ``feed.rows(config.batch_size)`` of it.
        """

    def validation(self) -> Any:
        """``tf.data.Dataset`` of known cardinality: every image once, or None without images."""


@dataclass(frozen=True)
class Score:
    """Result on the test split.

    Attributes:
        num_images: images scored.
        values: metric (e.g. ``"accuracy"``) to value; ``summary.json`` has them as
            ``test_<metric>_last`` and ``test_<metric>_best``.
    """

    num_images: int
    values: dict[str, float]


class Task(Protocol):
    """A kind of training.

    Attributes:
        monitor: metric of the validation split that decides the best epoch, higher is better.
    """

    monitor: str

    def load(self, config: TrainConfig, data_dir: str | None) -> TaskData:
        """Training and validation data.

        Raises:
            UsageError: the data set is missing, damaged, or smaller than the configuration asks.
        """

    def loss(self, config: TrainConfig) -> Any:
        """What ``model.compile`` takes."""

    def metrics(self) -> list[Any]:
        """What ``model.compile`` takes; one of them gives ``monitor``."""

    def score(self, model: Any, data_dir: str | None) -> Score:
        """Score a model on the test split, in inference mode."""


def get_task(config: TrainConfig) -> Task:
    """The task that ``config.dataset`` stands for."""
    if DATASETS[config.dataset].in_memory:
        from irnet_keras.training.tasks.classification import ClassificationTask

        return ClassificationTask(config.dataset)
    if DATASETS[config.dataset].super_resolution:
        from irnet_keras.training.tasks.super_resolution import SuperResolutionTask

        network = get_network(config.network, config.dataset)
        return SuperResolutionTask(config.dataset, network.settings["scale"])
    from irnet_keras.training.tasks.imagenet import ImageNetTask

    return ImageNetTask()
