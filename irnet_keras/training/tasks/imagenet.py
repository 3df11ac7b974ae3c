"""Classification of ImageNet, streamed from disk."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from irnet_keras.data.imagenet import ImageNet
from irnet_keras.errors import UsageError
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.task import Feed, Score
from irnet_keras.training.tasks.classification import (
    ClassificationTask,
    check_classes,
    score_batches,
)

TEST_SPLIT = "validation"  # of TFDS; its "test" has no labels
TOP = 5


@dataclass(frozen=True)
class ImageNetData:
    """Slices of the training split.

    Attributes:
        source: the data set.
        train: split to train on.
        validation_split: to choose the best epoch on, or None.
        num_images: of ``train``.
    """

    source: ImageNet
    train: str
    validation_split: str | None
    num_images: int

    def training(self, config: TrainConfig, feed: Feed = Feed()) -> tf.data.Dataset:  # noqa: B008
        """Endless augmented batches, see :meth:`irnet_keras.data.imagenet.ImageNet.training`."""
        return self.source.training(
            self.train,
            batch_size=config.batch_size,
            seed=config.seed,
            first_epoch=feed.epoch,
            first_step=feed.step,
            rows=feed.rows(config.batch_size),
        )

    def validation(self) -> tf.data.Dataset | None:
        if self.validation_split is None:
            return None
        return self.source.evaluation(self.validation_split)


class ImageNetTask(ClassificationTask):
    """Cross-entropy, top-1 and top-5 accuracy; the end of the training split chooses the epoch."""

    def load(self, config: TrainConfig, data_dir: str | None) -> Any:
        source = ImageNet(data_dir, config.input_size)
        check_classes(source.num_classes, config.output_classes, config.dataset)
        count = source.count("train")
        kept = count - config.validation_images
        end = kept if config.train_images is None else config.train_images
        if not 1 <= end <= kept:
            raise UsageError(
                f"train_images and validation_images must be at most the {count} training images "
                f"together, got {config.train_images} and {config.validation_images}"
            )
        validation = f"train[{kept}:]" if config.validation_images else None
        return ImageNetData(source, f"train[:{end}]", validation, end)

    def metrics(self) -> list[Any]:
        return ["accuracy", tf.keras.metrics.SparseTopKCategoricalAccuracy(TOP, name="top5")]

    def score(self, model: Any, data_dir: str | None) -> Score:
        source = ImageNet(data_dir, int(model.input_shape[1]))
        return score_batches(model, source.evaluation(TEST_SPLIT), TOP)
