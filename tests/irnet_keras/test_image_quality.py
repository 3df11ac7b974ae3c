"""PSNR, SSIM and pairs: numbers by hand, TensorFlow's SSIM, what files are accepted."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from irnet_keras.data.crops import crop_batches
from irnet_keras.data.enlarging_sets import folder_pairs
from irnet_keras.data.image_files import image_paths, read_image
from irnet_keras.data.image_quality import luma, psnr, ssim
from irnet_keras.data.upscaling import (
    Pair,
    make_pair,
    resize_bicubic,
    score_upscaling,
    to_image,
    to_input,
)
from irnet_keras.errors import UsageError
from irnet_keras.training.tasks.super_resolution import luma_psnr


def photo(rng, height=40, width=52):
    """Something smooth with edges and noise."""
    y, x = np.mgrid[:height, :width]
    smooth = 110 + 60 * np.sin(x / 7) + 50 * (y > height / 2)
    values = smooth[..., None] + np.array([0, 10, -20]) + rng.normal(0, 4, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("colour", "value"),
    [
        ((0, 0, 0), 16.0),
        ((255, 255, 255), 235.0),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
    ],
)
def test_luma_of_bt601(colour, value):
    image = np.full((2, 3, 3), colour, np.uint8)
    np.testing.assert_allclose(luma(image), np.full((2, 3), value), rtol=1e-12)


def test_psnr_by_hand():
    a = np.zeros((4, 4))
    b = a.copy()
    b[0, 0] = 4.0  # mean square 1
    assert psnr(a, b) == pytest.approx(20 * np.log10(255), abs=1e-12)
    assert psnr(a, a + 255) == pytest.approx(0.0, abs=1e-12)
    assert psnr(a, a) == float("inf")


def test_ssim_by_hand_and_as_tensorflow_has_it(rng):
    flat = np.full((12, 12), 100.0)
    # without variance only the means remain: (2ab + C1) / (a^2 + b^2 + C1)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(flat, flat + 20) == pytest.approx(expected, rel=1e-12)
    first = luma(photo(rng))
    second = first + rng.normal(0, 12, first.shape)
    both = [tf.constant(v[None, ..., None], tf.float32) for v in (first, second)]
    theirs = float(tf.image.ssim(*both, 255.0, filter_size=11, filter_sigma=1.5)[0])
    assert ssim(first, second) == pytest.approx(theirs, abs=1e-5)
    assert ssim(first, first) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least 11 pixels"):
        ssim(flat[:10], flat[:10])


def test_bicubic_kernel_by_hand():
    """Enlarging a step x2: a = -0.5 gives -9/128, 29/128, ... of cubic weights at 1/4 and 3/4."""
    row = np.array([0, 0, 0, 0, 128, 128, 128, 128], np.uint8)
    image = np.repeat(np.repeat(row[None, :, None], 4, 0), 3, 2)
    large = resize_bicubic(image, 4, 16)[0, :, 0]
    # weights at distances 1/4, 3/4, 5/4, 7/4: 111, 29, -9, -3 of 128 (Keys, a = -0.5)
    expected = [0, 0, 0, 0, 0, 0, 0, 26, 102, 137, 131, 128, 128, 128, 128, 128]
    expected[5:7] = [0, 0]  # -3 and -9: clipped
    np.testing.assert_array_equal(large, expected)


def test_pairs_are_cropped_to_a_multiple_and_antialiased(rng):
    image = photo(rng, 41, 55)
    pair = make_pair("a", image, 4)
    assert pair.large.shape == (40, 52, 3)
    assert pair.small.shape == (10, 13, 3)
    np.testing.assert_array_equal(pair.large, image[:40, :52])
    checkers = np.indices((16, 16)).sum(0) % 2 * np.uint8(255)
    grey = make_pair("b", np.repeat(checkers[..., None], 3, 2).astype(np.uint8), 2).small
    assert np.ptp(grey[2:-2, 2:-2].astype(int)) <= 1  # without antialiasing: aliases of 0 and 255


def test_conversion_to_network_input_and_back_is_exact():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_image(to_input(every)), every)
    np.testing.assert_array_equal(
        to_image(np.array([-1.0, 0.0, 2.0], np.float32)), np.array([0, 0, 255])
    )


def test_score_leaves_the_border_out_and_compares_with_bicubic(rng):
    pair = make_pair("a", photo(rng), 2)

    def framed(image):
        made = np.array(pair.large)
        made[:2], made[-2:], made[:, :2], made[:, -2:] = 0, 0, 0, 0
        made[10, 10] ^= 1
        return made

    score = score_upscaling([pair], 2, framed)
    assert 60 < score.psnr < 100  # one pixel differs by 1
    assert score.ssim == pytest.approx(1, abs=1e-4)
    bicubic = score_upscaling([pair], 2, lambda small: resize_bicubic(small, 40, 52))
    assert bicubic.psnr == bicubic.bicubic_psnr == score.bicubic_psnr
    assert bicubic.ssim == bicubic.bicubic_ssim
    assert score.as_json()["images"][0]["name"] == "a"
    with pytest.raises(ValueError, match="no images"):
        score_upscaling([], 2, framed)


def test_metric_of_training_is_the_score(rng):
    pair = make_pair("a", photo(rng), 2)
    made = np.clip(to_input(pair.large) + rng.normal(0, 0.03, pair.large.shape), -0.1, 1.1)
    made = made.astype(np.float32)
    score = score_upscaling([pair], 2, lambda small: to_image(made))
    metric = float(luma_psnr(to_input(pair.large)[None], made[None], 2)[0])
    assert metric == pytest.approx(score.psnr, abs=1e-3)


def crops(pairs, **changes):
    settings = {"scale": 2, "crop": 8, "crops_per_image": 5, "batch_size": 4, "seed": 3}
    return crop_batches(pairs, **{**settings, **changes})


def test_crops_are_the_same_window_and_depend_on_seed_epoch_and_step_only(rng):
    pairs = []
    for n in range(2):
        small = rng.integers(0, 256, (12 + n, 20, 3)).astype(np.uint8)
        pairs.append(Pair(str(n), np.repeat(np.repeat(small, 2, 0), 2, 1), small))
    batches = crops(pairs)
    seen = [next(batches) for _ in range(6)]  # 10 crops: 2 batches an epoch
    for small, large in seen:
        assert small.dtype == large.dtype == np.float32
        assert (small.shape, large.shape) == ((4, 8, 8, 3), (4, 16, 16, 3))
        np.testing.assert_array_equal(np.repeat(np.repeat(small, 2, 1), 2, 2), large)
    later = crops(pairs, first_epoch=1, first_step=1)
    for expected in seen[3:]:
        for a, b in zip(next(later), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    worker = crops(pairs, rows=slice(2, 4))
    np.testing.assert_array_equal(next(worker)[0], seen[0][0][2:])
    assert (seen[0][0] != seen[2][0]).any()
    assert (next(crops(pairs, seed=4))[0] != seen[0][0]).any()
    with pytest.raises(ValueError, match=r"batch_size must be in 1\.\.10"):
        next(crops(pairs, batch_size=11))


def test_crops_come_in_all_eight_orientations():
    small = np.zeros((8, 8, 3), np.uint8)
    small[0, 1] = 255
    pair = Pair("a", np.repeat(np.repeat(small, 2, 0), 2, 1), small)
    places = set()
    batches = crops([pair], crops_per_image=100, batch_size=100)
    for image in next(batches)[0]:
        places.add(tuple(np.argwhere(image[..., 0])[0]))
    assert places == {(0, 1), (1, 0), (0, 6), (6, 0), (7, 1), (1, 7), (7, 6), (6, 7)}


def save(path, pixels, mode="RGB"):
    Image.fromarray(pixels, mode).save(path)
    return path


def test_grey_palette_and_opaque_images_become_rgb(tmp_path, rng):
    grey = rng.integers(0, 256, (6, 5)).astype(np.uint8)
    expected = np.repeat(grey[..., None], 3, 2)
    np.testing.assert_array_equal(read_image(save(tmp_path / "g.png", grey, "L")), expected)
    Image.fromarray(grey, "L").convert("P").save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png"), expected)
    opaque = np.dstack([expected, np.full((6, 5), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", opaque, "RGBA")), expected)
    opaque[0, 0, 3] = 254
    with pytest.raises(UsageError, match=r"a\.png is partly transparent; give it a background"):
        read_image(save(tmp_path / "a.png", opaque, "RGBA"))


def test_other_images_are_refused(tmp_path):
    Image.new("CMYK", (8, 8)).save(tmp_path / "c.jpg")
    with pytest.raises(UsageError, match=r"c\.jpg has mode CMYK; accepted: 8-bit grey"):
        read_image(tmp_path / "c.jpg")
    Image.new("I;16", (8, 8)).save(tmp_path / "deep.png")
    with pytest.raises(UsageError, match=r"deep\.png has mode I;16"):
        read_image(tmp_path / "deep.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"b\.png is not a readable image"):
        read_image(tmp_path / "b.png")
    save(tmp_path / "cut.png", np.zeros((64, 64, 3), np.uint8))
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match=r"cut\.png is not a readable image"):
        read_image(tmp_path / "cut.png")


def test_folders_are_read_by_name_and_bad_ones_refused(tmp_path, rng):
    with pytest.raises(UsageError, match="x is not a folder"):
        image_paths(tmp_path / "x")
    with pytest.raises(UsageError, match=r"has no images; accepted: \.png"):
        image_paths(tmp_path)
    for name in ("b.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        save(tmp_path / "x.png", photo(rng)).rename(tmp_path / name)
    pairs = folder_pairs(tmp_path, 2)
    assert [pair.name for pair in pairs] == ["a.jpg", "b.PNG"]
    assert len(folder_pairs(tmp_path, 2, 1)) == 1
    save(tmp_path / "c.png", photo(rng, 15, 40))
    with pytest.raises(UsageError, match=r"c\.png is 40x15 pixels, at least 16 on each side"):
        folder_pairs(tmp_path, 2)
