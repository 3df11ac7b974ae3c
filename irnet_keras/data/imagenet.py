"""ImageNet through tensorflow-datasets, decoded and augmented on the way.

Training: random crop of 8 to 100 % of the area and aspect 3/4 to 4/3 ("Inception"), resized; flip;
colour jitter of brightness, contrast, saturation (0.2) and hue (0.1) in random order. Evaluation:
shorter side to 256 / 224 of the network's size, central crop. Both: mean and deviation of ImageNet.

Every random number comes from (seed, epoch, place in the epoch), so that a resumed run sees what
an uninterrupted one would have seen.

References:
    Qin et al., "IR-Net", its released ImageNet trainer (whose library draws the aspect
    log-uniformly; here it is uniform, as TensorFlow draws it).
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.data.sources import bad_split, damaged, open_builder

NAME = "imagenet2012"
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
JITTER = 0.2
HUE_JITTER = 0.1
EVAL_CROP = 224 / 256
EVAL_BATCH = 100
# encoded images, about 110 kB each: 450 MB; files are read in random order, too
SHUFFLE_BUFFER = 4096


class ImageNet:
    """The data set of a data folder.

    Args:
        data_dir: TFDS data folder; default TFDS's own.
        size: height and width of the images that come out.

    Raises:
        UsageError: the data set is missing or damaged.
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None, size: int) -> None:
        self._builder = open_builder(NAME, data_dir)
        self._size = size

    @property
    def num_classes(self) -> int:
        """Classes of the labels."""
        return int(self._builder.info.features["label"].num_classes)

    def count(self, split: str) -> int:
        """Images of a split or a slice of one.

        Raises:
            UsageError: there is no such split.
        """
        try:
            return int(self._builder.info.splits[split].num_examples)
        except (ValueError, KeyError) as error:
            raise bad_split(NAME, split, error, "train, validation") from error

    def evaluation(
        self, split: str, batch_size: int = EVAL_BATCH, limit: int | None = None
    ) -> tf.data.Dataset:
        """The first ``limit`` images of a split (default: all) in order; last batch smaller."""
        images = min(self.count(split), limit or sys.maxsize)
        count = -(-images // batch_size)
        size = self._size

        def prepared(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            return decode_for_evaluation(example["image"], size), example["label"]

        decoded = self._records(split, None).take(images).map(prepared, tf.data.AUTOTUNE)
        counted = decoded.batch(batch_size).apply(tf.data.experimental.assert_cardinality(count))
        return counted.prefetch(2)

    def training(
        self,
        split: str,
        *,
        batch_size: int,
        seed: int,
        first_epoch: int = 0,
        first_step: int = 0,
        rows: slice | None = None,
    ) -> tf.data.Dataset:
        """Endless batches of augmented images, the rest of every epoch dropped.

        Args:
            split: of TFDS, e.g. ``"train[:-10000]"``.
            batch_size: images of a whole batch.
            seed: any non-negative integer.
            first_epoch: 0-based epoch to start with.
            first_step: 0-based step of that epoch to start with.
            rows: the part of every batch that comes out; only these images are decoded.

        Returns:
            elements ``(images, labels)``: float32 ``(rows, size, size, 3)`` and int64 ``(rows,)``.
        """
        own = rows or slice(0, batch_size)
        steps = self.count(split) // batch_size
        shape = (own.stop - own.start, self._size, self._size, 3)

        # A Python generator builds one epoch's pipeline at a time; it costs one copy of a batch.
        def batches() -> Iterator[Any]:
            epoch, step = first_epoch, first_step
            while True:
                whole = self._epoch(split, batch_size, steps, seed, epoch, step, own)
                yield from whole.as_numpy_iterator()
                epoch, step = epoch + 1, 0

        return tf.data.Dataset.from_generator(
            batches,
            output_signature=(
                tf.TensorSpec(shape, tf.float32),
                tf.TensorSpec(shape[:1], tf.int64),
            ),
        ).prefetch(2)

    def _epoch(
        self,
        split: str,
        batch_size: int,
        steps: int,
        seed: int,
        epoch: int,
        first_step: int,
        rows: slice,
    ) -> tf.data.Dataset:
        file_seed, image_seed = np.random.SeedSequence([seed, epoch]).generate_state(2) >> 1
        size = self._size

        def is_own(place: tf.Tensor, example: Any) -> tf.Tensor:
            row = place % batch_size
            return (place >= first_step * batch_size) & (row >= rows.start) & (row < rows.stop)

        def augmented(place: tf.Tensor, example: dict[str, tf.Tensor]) -> Any:
            key = tf.random.experimental.stateless_fold_in((seed, epoch), place)
            return decode_for_training(example["image"], key, size), example["label"]

        records = self._records(split, int(file_seed)).shuffle(SHUFFLE_BUFFER, int(image_seed))
        numbered = records.take(steps * batch_size).enumerate().filter(is_own)
        images = numbered.map(augmented, tf.data.AUTOTUNE, deterministic=True)
        options = tf.data.Options()
        # its own threads: those it would share wait for the generator that reads from it
        options.threading.private_threadpool_size = os.cpu_count() or 1
        batched = images.batch(rows.stop - rows.start, drop_remainder=True)
        return batched.prefetch(2).with_options(options)

    def _records(self, split: str, file_seed: int | None) -> tf.data.Dataset:
        """Encoded images and labels, files in order or in the order of a seed."""
        import tensorflow_datasets as tfds

        try:
            return self._builder.as_dataset(
                split=split,
                shuffle_files=file_seed is not None,
                decoders={"image": tfds.decode.SkipDecoding()},
                read_config=tfds.ReadConfig(shuffle_seed=file_seed, try_autocache=False),
            ).map(lambda example: {key: example[key] for key in ("image", "label")})
        except (ValueError, KeyError) as error:
            raise bad_split(NAME, split, error, "train, validation") from error
        except Exception as error:
            folder = Path(self._builder.data_dir).parents[1]
            raise damaged(NAME, folder, self._builder.data_dir, error) from error


def normalize(image: tf.Tensor) -> tf.Tensor:
    """``(x - mean) / std`` of images in 0..1, channels last."""
    return (image - tf.constant(MEAN)) / tf.constant(STD)


def decode_for_evaluation(jpeg: tf.Tensor, size: int) -> tf.Tensor:
    """Shorter side to ``size / EVAL_CROP``, central crop, normalised.

    Args:
        jpeg: scalar string, an encoded image.
        size: height and width of the result.

    Returns:
        float32 ``(size, size, 3)``.
    """
    image = tf.io.decode_jpeg(jpeg, channels=3)
    shape = tf.shape(image)[:2]
    scale = tf.round(size / EVAL_CROP) / tf.cast(tf.reduce_min(shape), tf.float32)
    wanted = tf.maximum(tf.cast(tf.round(tf.cast(shape, tf.float32) * scale), tf.int32), size)
    image = tf.image.resize(image, wanted, antialias=True)
    top, left = tf.unstack((wanted - size) // 2)
    return normalize(
        tf.ensure_shape(image[top : top + size, left : left + size], (size, size, 3)) / 255
    )


def decode_for_training(jpeg: tf.Tensor, key: tf.Tensor, size: int) -> tf.Tensor:
    """Random crop, flip, colour jitter, normalised.

    Args:
        jpeg: scalar string, an encoded image.
        key: two integers; the same give the same result.
        size: height and width of the result.

    Returns:
        float32 ``(size, size, 3)``.
    """
    crop, flip, colour = tf.unstack(tf.random.experimental.stateless_split(key, 3))
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.image.extract_jpeg_shape(jpeg),
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        crop,
        min_object_covered=0.0,
        aspect_ratio_range=(3 / 4, 4 / 3),
        area_range=(0.08, 1.0),
        max_attempts=10,
    )
    window = tf.concat([begin[:2], extent[:2]], 0)
    image = tf.image.decode_and_crop_jpeg(jpeg, window, channels=3)
    image = tf.image.resize(image, (size, size), antialias=True) / 255
    image = tf.image.stateless_random_flip_left_right(image, flip)
    return normalize(tf.ensure_shape(jitter(image, colour), (size, size, 3)))


def jitter(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast, saturation and hue, each changed at random, in random order.

    Args:
        image: float32 ``(height, width, 3)``, RGB in 0..1.
        key: two integers.

    Returns:
        the same shape and range.
    """
    keys = tf.random.experimental.stateless_split(key, 3)
    factors = tf.random.stateless_uniform([3], keys[0], 1 - JITTER, 1 + JITTER)
    shift = tf.random.stateless_uniform([], keys[1], -HUE_JITTER, HUE_JITTER)
    order = tf.argsort(tf.random.stateless_uniform([4], keys[2]))
    for place in range(4):
        image = tf.switch_case(
            order[place],
            [
                lambda x=image: blend(x, tf.zeros_like(x), factors[0]),
                lambda x=image: blend(x, tf.reduce_mean(grey(x)) * tf.ones_like(x), factors[1]),
                lambda x=image: blend(x, grey(x) * tf.ones_like(x), factors[2]),
                lambda x=image: tf.image.adjust_hue(x, shift),
            ],
        )
    return image


def grey(image: tf.Tensor) -> tf.Tensor:
    """Luma, ITU-R 601; ``(height, width, 1)``."""
    return tf.image.rgb_to_grayscale(image)


def blend(image: tf.Tensor, other: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """``factor * image + (1 - factor) * other``, within 0..1."""
    return tf.clip_by_value(factor * image + (1 - factor) * other, 0.0, 1.0)
