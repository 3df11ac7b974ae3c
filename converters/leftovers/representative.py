"""Real images that the file will be calibrated on."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.data.preprocessing import Inputs, preprocess
from irnet_keras.data.resizing import MAX_IMAGES, fitted, image_count, resized
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError, first_line

# Fewer do not show the values that others have (docs/explanation/leftovers.md).
MIN_IMAGES = 8
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
OPTION = "--representative"


def sample_inputs(shape: tuple[int, ...], *, test: bool) -> Inputs:
    """:func:`sample_images`, preprocessed."""
    return preprocess(sample_images(shape, test=test).images)


def sample_images(shape: tuple[int, ...], *, test: bool) -> LabelledImages:
    """Shipped CIFAR-10 images, resized where the model's have another size.

    Test images of CIFAR-10's own size are all taken, others as many as are worth the time.

    Args:
        shape: ``(height, width, channels)`` of the model's input.
        test: test images, else the calibration images, which are training images.

    Raises:
        UsageError: the input is no colour image.
    """
    if len(shape) != 3 or shape[2] != 3:
        raise UsageError(
            f"{OPTION} is needed: the model takes {shape}, the shipped images are "
            "(height, width, 3)"
        )
    sample = load_sample()
    if test:
        return fitted(sample.test, shape)
    return fitted(sample.calibration, shape)


def check_count(images: Inputs) -> None:
    """Refuse representative data too few to show what the model will see.

    Raises:
        UsageError: fewer than ``MIN_IMAGES``.
    """
    if len(images) < MIN_IMAGES:
        raise UsageError(
            f"{OPTION} has {len(images)} images, at least {MIN_IMAGES} are needed "
            f"(at most {MAX_IMAGES} are used)"
        )


def check_representative(path: Path) -> None:
    """Refuse early what can be no representative data.

    Raises:
        UsageError: it is neither a folder nor an ``.npz`` file.
    """
    if not path.is_dir() and not (path.suffix.lower() == ".npz" and path.is_file()):
        raise UsageError(f"{OPTION} must be a folder of images or an .npz file, got {path}")


def load_representative(path: str | Path, shape: tuple[int, ...]) -> Inputs:
    """Images of a user.

    Args:
        path: a folder of images (RGB; resized), or an ``.npz`` file with one array: uint8
            ``(n, any height, any width, 3)``, resized and preprocessed as the project's images
            are, or float32 ``(n, *shape)``, used as they are.
        shape: ``(height, width, channels)`` of the model's input.

    Raises:
        UsageError: missing, unreadable, of another form or fewer than ``MIN_IMAGES``.
    """
    path = Path(path)
    check_representative(path)
    if path.is_dir():
        inputs = _folder(path, shape)
        check_count(inputs)
        return inputs
    try:
        # (NumPy leaves a damaged archive open unless it is given an open file)
        with path.open("rb") as stream, np.load(stream) as archive:
            names = archive.files
            if len(names) != 1:
                raise UsageError(
                    f"{OPTION}: {path} must hold one array, has {', '.join(names) or 'none'}"
                )
            array = archive[names[0]]
    except UsageError:
        raise
    except (OSError, ValueError, EOFError, KeyError) as error:
        reason = first_line(error)
        raise UsageError(f"{OPTION}: cannot read {path}: {reason}") from error
    except Exception as error:
        # zipfile and zlib have errors of their own for damaged archives
        raise UsageError(f"{OPTION}: cannot read {path}: {type(error).__name__}") from error
    inputs = _checked(array, shape, path)
    check_count(inputs)
    return inputs


def _folder(path: Path, shape: tuple[int, ...]) -> Inputs:
    from PIL import Image

    files = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(f"{OPTION}: {path} has no images ({', '.join(SUFFIXES)})")
    if len(shape) != 3 or shape[2] != 3:
        raise UsageError(f"{OPTION} must be an .npz file: the model takes {shape}, no RGB images")
    images = []
    for file in files[: image_count(shape)]:
        try:
            with Image.open(file) as image:
                images.append(resized(np.asarray(image.convert("RGB"))[None], shape)[0])
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = first_line(error)
            raise UsageError(f"{OPTION}: cannot read {file}: {reason}") from error
    return preprocess(np.stack(images))


def _checked(array: NDArray[Any], shape: tuple[int, ...], path: Path) -> Inputs:
    fits = array.dtype == np.float32 and array.shape[1:] == shape
    image = array.dtype == np.uint8 and array.ndim == 4 and array.shape[3] == 3 == shape[-1]
    if not len(array) or not (fits or image) or 0 in array.shape:
        raise UsageError(
            f"{OPTION}: {path} must hold uint8 (n, height, width, 3) or float32 "
            f"{('n', *shape)}, has {array.dtype} {array.shape}"
        )
    array = array[: image_count(shape)] if len(shape) == 3 else array[:MAX_IMAGES]
    inputs = preprocess(resized(array, shape)) if image else array
    if not np.isfinite(inputs).all():
        raise UsageError(f"{OPTION}: {path} holds NaN or infinite values")
    return inputs
