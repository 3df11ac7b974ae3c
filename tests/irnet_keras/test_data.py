"""Images: preprocessing, augmentation, batch streams, the shipped sample."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irnet_keras.data.batches import training_batches
from irnet_keras.data.cifar10 import LABELS
from irnet_keras.data.preprocessing import (
    CIFAR10_MEAN,
    CIFAR10_STD,
    augment_crop_flip,
    preprocess,
)
from irnet_keras.data.sample import load_sample


def test_preprocessing_matches_its_formula(rng):
    images = rng.integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    expected = (images / 255.0 - np.array(CIFAR10_MEAN)) / np.array(CIFAR10_STD)
    out = preprocess(images)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(0, 99)
)
def test_every_augmented_image_is_a_flipped_or_plain_crop(count, height, width, pad, seed):
    images = np.arange(1, count * height * width * 3 + 1) % 251
    images = images.reshape(count, height, width, 3).astype(np.uint8)
    out = augment_crop_flip(images, np.random.default_rng(seed), pad)
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    for image, source in zip(out, padded, strict=True):
        crops = [
            source[i : i + height, j : j + width]
            for i in range(2 * pad + 1)
            for j in range(2 * pad + 1)
        ]
        assert any((image == c).all() or (image == c[:, ::-1]).all() for c in crops)


def test_augmentation_uses_every_offset_and_both_directions(rng):
    # the value of a pixel is its column + 1 (first channel) or row + 1 (second)
    image = np.zeros((8, 8, 2), np.uint8)
    image[..., 0] = np.arange(1, 9)
    image[..., 1] = np.arange(1, 9)[:, None]
    out = augment_crop_flip(np.repeat(image[None], 3000, 0), rng, pad=2).astype(int)
    center = out[:, 4, 4]
    flipped = out[:, 4, 3, 0] > out[:, 4, 4, 0]
    assert abs(flipped.mean() - 0.5) < 0.05  # 5 standard deviations
    assert set(center[~flipped, 0]) == {3, 4, 5, 6, 7}
    assert set(center[:, 1]) == {3, 4, 5, 6, 7}


def test_batches_are_a_function_of_seed_and_epoch(rng):
    images = rng.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(23)

    def take(first_epoch, count, seed=3):
        stream = training_batches(images, labels, batch_size=5, seed=seed, first_epoch=first_epoch)
        return [next(stream) for _ in range(count)]

    whole, resumed = take(0, 12), take(2, 4)
    for (xa, ya), (xb, yb) in zip(whole[8:], resumed, strict=True):
        np.testing.assert_array_equal(xa, xb)
        np.testing.assert_array_equal(ya, yb)
    for epoch in range(3):
        seen = np.concatenate([y for _, y in whole[4 * epoch : 4 * epoch + 4]])
        assert len(set(seen)) == 20  # full batches only, no repeats
    assert any((a[1] != b[1]).any() for a, b in zip(whole, take(0, 12, seed=4), strict=True))


def test_batches_of_workers_from_a_step_on_are_parts_of_the_whole(rng):
    images = rng.integers(0, 256, (23, 8, 8, 3), dtype=np.uint8)

    def take(count, **options):
        stream = training_batches(images, np.arange(23), batch_size=6, seed=3, **options)
        return [next(stream) for _ in range(count)]

    whole = take(6)  # two epochs of three steps
    for rows in (slice(0, 3), slice(3, 6)):
        part = take(2, first_epoch=1, first_step=1, rows=rows)
        for (xa, ya), (xb, yb) in zip(whole[4:], part, strict=True):
            np.testing.assert_array_equal(xa[rows], xb)
            np.testing.assert_array_equal(ya[rows], yb)


def test_batch_larger_than_the_data_is_refused():
    stream = training_batches(np.zeros((3, 8, 8, 3), np.uint8), np.zeros(3), batch_size=4, seed=0)
    with pytest.raises(ValueError, match=r"batch_size must be in 1\.\.3, got 4"):
        next(stream)


def test_sample_is_balanced_and_real():
    sample = load_sample()
    assert sample.test.images.shape == (1000, 32, 32, 3)
    assert sample.test.images.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(sample.test.labels), [100] * len(LABELS))
    assert sample.calibration.images.shape == (256, 32, 32, 3)
    # statistics of natural images, far from noise: neighbours correlate
    x = sample.test.images.astype(np.float64)
    correlation = np.corrcoef(x[:, :, 1:].ravel(), x[:, :, :-1].ravel())[0, 1]
    assert correlation > 0.9
    assert np.abs(x.mean((0, 1, 2)) / 255 - CIFAR10_MEAN).max() < 0.02


def test_sample_images_are_not_among_the_calibration_images():
    sample = load_sample()
    test = {image.tobytes() for image in sample.test.images}
    assert not test & {image.tobytes() for image in sample.calibration.images}


@pytest.mark.parametrize("name", ["test", "calibration"])
def test_slicing_keeps_images_and_labels_together(name):
    data = getattr(load_sample(), name)
    part = data[5:9]
    assert len(part) == 4
    np.testing.assert_array_equal(part.labels, data.labels[5:9])
    np.testing.assert_array_equal(part.images, data.images[5:9])
