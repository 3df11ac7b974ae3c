"""Classification of small images that are held in memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.data.batches import training_batches
from irnet_keras.data.cifar10 import LabelledImages, load_cifar, load_train_validation
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.errors import UsageError
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.task import Feed, Score

EVAL_BATCH = 500


@dataclass(frozen=True)
class ClassificationData:
    """Images in memory.

    Attributes:
        train: images to train on.
        validation_split: images to choose the best epoch on, may be none.
    """

    train: LabelledImages
    validation_split: LabelledImages

    @property
    def num_images(self) -> int:
        return len(self.train)

    def training(self, config: TrainConfig, feed: Feed = Feed()) -> tf.data.Dataset:  # noqa: B008
        """Endless dataset of :func:`irnet_keras.data.batches.training_batches`."""
        check_fits(config, self.train)
        rows = feed.rows(config.batch_size)
        size = rows.stop - rows.start
        return tf.data.Dataset.from_generator(
            lambda: training_batches(
                self.train.images,
                self.train.labels,
                batch_size=config.batch_size,
                seed=config.seed,
                first_epoch=feed.epoch,
                first_step=feed.step,
                rows=rows,
            ),
            output_signature=(
                tf.TensorSpec((size, *self.train.images.shape[1:]), tf.float32),
                tf.TensorSpec((size,), tf.int64),
            ),
        ).prefetch(8)

    def validation(self) -> tf.data.Dataset | None:
        return eval_dataset(self.validation_split) if len(self.validation_split) else None


class ClassificationTask:
    """CIFAR: cross-entropy, top-1 accuracy."""

    monitor = "val_accuracy"

    def __init__(self, dataset: str = "cifar10") -> None:
        self._dataset = dataset

    def load(self, config: TrainConfig, data_dir: str | None) -> Any:
        images, train_images = config.validation_images, config.train_images
        return ClassificationData(
            *load_train_validation(images, data_dir, train_images, self._dataset)
        )

    def loss(self, config: TrainConfig) -> Any:
        if config.label_smoothing == 0:
            return tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def smoothed(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
            one_hot = tf.one_hot(tf.reshape(tf.cast(labels, tf.int32), [-1]), logits.shape[-1])
            return tf.keras.losses.categorical_crossentropy(
                one_hot, logits, from_logits=True, label_smoothing=config.label_smoothing
            )

        return smoothed

    def metrics(self) -> list[Any]:
        return ["accuracy"]

    def score(self, model: Any, data_dir: str | None) -> Score:
        return score_batches(model, eval_dataset(load_cifar(self._dataset, "test", data_dir)))


def check_fits(config: TrainConfig, data: LabelledImages) -> None:
    """Refuse images or labels that the configured network does not take.

    Raises:
        UsageError: saying which setting is the right one.
    """
    height, width, _ = data.images.shape[1:]
    if (height, width) != (config.input_size, config.input_size):
        advice = f"set image_size={height}" if height == width else "cut them square"
        raise UsageError(
            f"the images are {height}x{width} pixels, the network takes {config.input_size}x"
            f"{config.input_size}: {advice}"
        )
    check_classes(int(data.labels.max(initial=0)) + 1, config.output_classes, "the data")


def check_classes(found: int, classes: int, source: str) -> None:
    """Refuse a classifier with fewer outputs than there are classes.

    Raises:
        UsageError: saying which setting is the right one.
    """
    if found > classes:
        raise UsageError(
            f"{source} has {found} classes, the network {classes}: set num_classes={found}"
        )


def eval_dataset(data: LabelledImages) -> tf.data.Dataset:
    """All images once, in order, preprocessed; the last batch may be smaller."""

    def batches() -> Any:
        for i in range(0, len(data), EVAL_BATCH):
            part = data[i : i + EVAL_BATCH]
            yield preprocess(part.images), part.labels

    count = -(-len(data) // EVAL_BATCH)
    dataset = tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            tf.TensorSpec((None, *data.images.shape[1:]), tf.float32),
            tf.TensorSpec((None,), tf.int64),
        ),
    )
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def score_batches(model: tf.keras.Model, batches: tf.data.Dataset, top: int = 1) -> Score:
    """Accuracy (0..1) of a model over batches of (images, labels).

    Args:
        model: from images to one number per class.
        batches: inputs and integer labels, every image once.
        top: also count labels among the so many largest outputs, as ``"top<n>"``.
    """

    @tf.function  # type: ignore[untyped-decorator]
    def ranks(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        outputs = model(images, training=False)
        first = tf.math.top_k(outputs, min(top, outputs.shape[-1])).indices
        return first == tf.cast(labels, first.dtype)[:, None]

    hits = np.concatenate([ranks(x, y).numpy() for x, y in batches])
    values = {"accuracy": float(hits[:, 0].mean())}
    if top > 1:
        values[f"top{top}"] = float(hits.any(-1).mean())
    return Score(len(hits), values)


def keras_accuracy(model: tf.keras.Model, data: LabelledImages) -> float:
    """Top-1 accuracy (0..1) of a model over all images."""
    return score_batches(model, eval_dataset(data)).values["accuracy"]
