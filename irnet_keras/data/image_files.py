"""Images from files and folders, as uint8 RGB."""

from pathlib import Path

import numpy as np

from irnet_keras.data.preprocessing import Images
from irnet_keras.errors import UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_GREY = ("1", "L")
_ALPHA = ("RGBA", "LA")


def read_image(path: Path) -> Images:
    """An image file as RGB, uint8, shape ``(height, width, 3)``.

    Grey images get three equal channels; an alpha channel is dropped where it is opaque all over.

    Raises:
        UsageError: unreadable, partly transparent, or of more than 8 bits or other channels.
    """
    from PIL import Image

    try:
        with Image.open(path) as opened:
            opened.load()
            image: Image.Image = opened
            if image.mode == "P":
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            if image.mode in _ALPHA:
                if image.getchannel("A").getextrema() != (255, 255):
                    raise UsageError(f"{path} is partly transparent; give it a background first")
                image = image.convert("RGB")
            if image.mode not in (*_GREY, "RGB"):
                raise UsageError(
                    f"{path} has mode {image.mode}; accepted: 8-bit grey, palette, RGB, and RGB "
                    "with an opaque alpha channel"
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path} is not a readable image ({error})") from error


def image_paths(folder: Path) -> list[Path]:
    """Image files of a folder, by name; hidden files and other suffixes are left out.

    Raises:
        UsageError: no folder, or no image in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    try:
        found = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise UsageError(f"folder {folder} cannot be read: {error.strerror}") from error
    if not found:
        raise UsageError(f"folder {folder} has no images; accepted: {', '.join(SUFFIXES)}")
    return found
