"""Super-resolution: crops to train on, whole images to score."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from irnet_keras.data.crops import crop_batches
from irnet_keras.data.enlarging_sets import load_pairs
from irnet_keras.data.image_quality import LUMA, PEAK
from irnet_keras.data.upscaling import (
    METRICS,
    Pair,
    UpscalingScore,
    score_upscaling,
    to_image,
    to_input,
)
from irnet_keras.errors import UsageError
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.task import Feed, Score


@dataclass(frozen=True)
class CropData:
    """Pairs in memory.

    Attributes:
        train: to cut crops from.
        validation_split: to choose the best epoch on, may be none.
        scale: of the pairs.
        crops_per_image: in an epoch.
    """

    train: list[Pair]
    validation_split: list[Pair]
    scale: int
    crops_per_image: int

    @property
    def num_images(self) -> int:
        return len(self.train) * self.crops_per_image

    def training(self, config: TrainConfig, feed: Feed = Feed()) -> tf.data.Dataset:  # noqa: B008
        """Endless dataset of :func:`irnet_keras.data.crops.crop_batches`."""
        rows = feed.rows(config.batch_size)
        size, small = rows.stop - rows.start, config.crop_size
        large = small * self.scale
        return tf.data.Dataset.from_generator(
            lambda: crop_batches(
                self.train,
                scale=self.scale,
                crop=small,
                crops_per_image=self.crops_per_image,
                batch_size=config.batch_size,
                seed=config.seed,
                first_epoch=feed.epoch,
                first_step=feed.step,
                rows=rows,
            ),
            output_signature=(
                tf.TensorSpec((size, small, small, 3), tf.float32),
                tf.TensorSpec((size, large, large, 3), tf.float32),
            ),
        ).prefetch(8)

    def validation(self) -> tf.data.Dataset | None:
        """Whole images, one a batch."""
        pairs = self.validation_split
        if not pairs:
            return None
        image = tf.TensorSpec((1, None, None, 3), tf.float32)
        dataset = tf.data.Dataset.from_generator(
            lambda: ((to_input(p.small)[None], to_input(p.large)[None]) for p in pairs),
            output_signature=(image, image),
        )
        return dataset.apply(tf.data.experimental.assert_cardinality(len(pairs))).prefetch(1)


class SuperResolutionTask:
    """L1 on RGB; PSNR on luma.

    Args:
        dataset: ``"photos"`` or ``"div2k"``.
        scale: enlargement.
    """

    monitor = "val_psnr"

    def __init__(self, dataset: str, scale: int) -> None:
        self.dataset, self.scale = dataset, scale

    def load(self, config: TrainConfig, data_dir: str | None) -> CropData:
        pairs = load_pairs(self.dataset, "train", self.scale, data_dir)
        cut = len(pairs) - config.validation_images
        end = cut if config.train_images is None else config.train_images
        if not 1 <= end <= cut:
            raise UsageError(
                f"{self.dataset} has {len(pairs)} training images: validation_images "
                f"{config.validation_images} and train_images {config.train_images} ask for more"
            )
        for pair in pairs[:end]:
            if min(pair.small.shape[:2]) < config.crop_size:
                raise UsageError(
                    f"crop_size must be at most {min(pair.small.shape[:2])}, the smaller side of "
                    f"{pair.name} divided by {self.scale}; got {config.crop_size}"
                )
        return CropData(pairs[:end], pairs[cut:], self.scale, config.crops_per_image)

    def loss(self, config: TrainConfig) -> Any:
        return "mae"

    def metrics(self) -> list[Any]:
        scale = self.scale

        def psnr(large: tf.Tensor, made: tf.Tensor) -> tf.Tensor:
            return luma_psnr(large, made, scale)

        return [psnr]

    def score(self, model: Any, data_dir: str | None) -> Score:
        pairs = load_pairs(self.dataset, "test", self.scale, data_dir)
        score = keras_upscaling(model, pairs, self.scale)
        return Score(len(pairs), {name: getattr(score, name) for name in METRICS})


def luma_psnr(large: tf.Tensor, made: tf.Tensor, border: int) -> tf.Tensor:
    """:func:`irnet_keras.data.image_quality.psnr` of each image, on luma, as 8-bit images.

    Args:
        large: float32 0..1, shape ``(batch, height, width, 3)``.
        made: of the same shape.
        border: pixels left out at every side.

    Returns:
        float32, shape ``(batch,)``, dB.
    """
    made = tf.clip_by_value(tf.round(made * PEAK), 0.0, PEAK)
    difference = tf.tensordot(large * PEAK - made, tf.constant(LUMA, tf.float32), 1)
    inner = difference[:, border:-border, border:-border]
    error = tf.reduce_mean(tf.square(inner), (1, 2))
    return 10.0 * tf.math.log(PEAK**2 / tf.maximum(error, 1e-10)) / tf.math.log(10.0)


def keras_upscaling(model: Any, pairs: list[Pair], scale: int) -> UpscalingScore:
    """Score a Keras model of open height and width on whole images, in inference mode."""
    step = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    return score_upscaling(
        pairs, scale, lambda image: to_image(step(to_input(image)[None]).numpy()[0])
    )
