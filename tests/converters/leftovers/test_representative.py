"""Representative data: what is taken, what is refused, each in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.leftovers.representative import load_representative, sample_inputs
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.resizing import resized
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError

SHAPE = (32, 32, 3)


def test_shipped_images_are_used_as_they_are_or_resized() -> None:
    sample = load_sample()
    np.testing.assert_array_equal(
        sample_inputs(SHAPE, test=False), preprocess(sample.calibration.images)
    )
    large = sample_inputs((224, 224, 3), test=True)
    assert large.shape == (64, 224, 224, 3)
    np.testing.assert_array_equal(large, preprocess(resized(sample.test.images[:64], (224, 224))))


def test_an_input_that_is_no_image_needs_data() -> None:
    with pytest.raises(UsageError, match=r"is needed: the model takes \(8, 8, 4\)"):
        sample_inputs((8, 8, 4), test=False)


def test_archives_of_bytes_and_floats(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (8, 20, 30, 3)).astype(np.uint8)
    np.savez(tmp_path / "bytes.npz", images=images)
    found = load_representative(tmp_path / "bytes.npz", SHAPE)
    np.testing.assert_array_equal(found, preprocess(resized(images, SHAPE)))
    values = rng.standard_normal((8, 8, 8, 4), np.float32)
    np.savez(tmp_path / "floats.npz", x=values)
    np.testing.assert_array_equal(load_representative(tmp_path / "floats.npz", (8, 8, 4)), values)


def test_folders_of_images(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    for name, image in zip("hgfedcba", pixels, strict=True):
        Image.fromarray(image).save(tmp_path / f"{name}.{'bmp' if name == 'a' else 'png'}")
    (tmp_path / "notes.txt").write_text("no image")
    found = load_representative(tmp_path, SHAPE)
    np.testing.assert_array_equal(found, preprocess(pixels[::-1]))
    (tmp_path / "c.png").write_bytes(b"no image either")
    with pytest.raises(UsageError, match=r"--representative: cannot read .*c\.png: "):
        load_representative(tmp_path, SHAPE)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "must hold one array, has none"),
        ({"a": np.zeros(1), "b": np.zeros(1)}, "must hold one array, has a, b"),
        (
            {"a": np.zeros((2, 32, 32, 3))},
            r"\('n', 32, 32, 3\), has float64 \(2, 32, 32, 3",
        ),
        ({"a": np.zeros((2, 9, 9, 3), np.float32)}, r"has float32 \(2, 9, 9, 3\)"),
        ({"a": np.zeros((2, 9, 9, 1), np.uint8)}, r"has uint8 \(2, 9, 9, 1\)"),
        ({"a": np.zeros((0, 32, 32, 3), np.uint8)}, r"has uint8 \(0, 32, 32, 3\)"),
        ({"a": np.full((1, 32, 32, 3), np.nan, np.float32)}, "holds NaN or infinite values"),
        (
            {"a": np.zeros((7, 9, 9, 3), np.uint8)},
            "has 7 images, at least 8 are needed",
        ),
        ({"a": np.array([None])}, "cannot read .*Object arrays"),
    ],
)
def test_other_archives_are_refused(
    arrays: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(UsageError, match=f"^--representative:?.*{message}") as caught:
        load_representative(path, SHAPE)
    assert "\n" not in str(caught.value)


def test_other_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a folder of images or an \.npz file, got .*x\.py"):
        load_representative(tmp_path / "x.py", SHAPE)
    with pytest.raises(UsageError, match=r"a folder of images or an \.npz file, got .*x\.npz"):
        load_representative(tmp_path / "x.npz", SHAPE)
    (tmp_path / "y.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UsageError, match=r"cannot read .*y\.npz: "):
        load_representative(tmp_path / "y.npz", SHAPE)
    with pytest.raises(UsageError, match=r"has no images \(\.png, "):
        load_representative(tmp_path, SHAPE)
