"""Classification of small images that are held in memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.data.batches import training_batches
from irnet_keras.data.cifar10 import LabelledImages, load_cifar10, load_train_validation
from irnet_keras.data.preprocessing import preprocess
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
    """CIFAR-10: cross-entropy, top-1 accuracy."""

    monitor = "val_accuracy"

    def load(self, config: TrainConfig, data_dir: str | None) -> ClassificationData:
        return ClassificationData(
            *load_train_validation(config.validation_images, data_dir, config.train_images)
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
        test = load_cifar10("test", data_dir)
        return Score(len(test), {"accuracy": keras_accuracy(model, test)})


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


def keras_accuracy(model: tf.keras.Model, data: LabelledImages) -> float:
    """Top-1 accuracy (0..1) of a model over all images."""
    step = tf.function(lambda x: tf.argmax(model(x, training=False), -1))
    correct = sum(int(np.sum(step(x).numpy() == y.numpy())) for x, y in eval_dataset(data))
    return correct / len(data)
