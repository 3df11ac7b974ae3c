"""A folder per run: what was asked for, with what, and what came out."""

import contextlib
import csv
import io
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write, make_folder
from irnet_keras.training.config import TrainConfig, parse_config

CONFIG = "config.json"
METRICS = "metrics.csv"
_PACKAGES = ("tensorflow", "tf-keras", "larq", "larq-compute-engine", "numpy", "irnet")


def new_run_folder(recipe: str, parent: Path = Path("runs")) -> Path:
    """The first free ``runs/<recipe>-<n>``, created."""
    make_folder(parent)
    number = 1
    while True:
        folder = parent / f"{recipe}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise UsageError(f"cannot create folder {folder}: {error.strerror}") from error
        else:
            return folder


@contextlib.contextmanager
def discarding_empty(folder: Path) -> Iterator[None]:
    """Delete ``folder`` if the body is refused before anything is in it."""
    try:
        yield
    except UsageError:
        with contextlib.suppress(OSError):  # not empty: the run had begun
            folder.rmdir()
        raise


def latest_run_folder(recipe: str, parent: Path = Path("runs")) -> Path:
    """The existing ``runs/<recipe>-<n>`` with the highest n.

    Raises:
        UsageError: there is none.
    """
    numbers = [
        int(path.name.removeprefix(f"{recipe}-"))
        for path in parent.glob(f"{recipe}-*")
        if path.name.removeprefix(f"{recipe}-").isdigit()
    ]
    if not numbers:
        raise UsageError(f"nothing to resume: no run of {recipe} in {parent}; pass --run-dir")
    return parent / f"{recipe}-{max(numbers)}"


def write_config(folder: Path, config: TrainConfig) -> None:
    """The resolved configuration, as ``config.json``."""
    atomic_write(folder / CONFIG, config.model_dump_json(indent=2) + "\n")


def read_config(folder: Path) -> TrainConfig:
    """Read ``config.json`` of a run folder.

    Raises:
        UsageError: missing or not a configuration.
    """
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise UsageError(f"{folder} is not a run folder: it has no {CONFIG}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} does not hold a configuration")
    return parse_config(values, str(path))


def environment() -> dict[str, Any]:
    """Versions, platform, git revision and command line of this process."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "command": ["irnet", *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions,
        "git_revision": git_revision(),
    }


def git_revision() -> str | None:
    """Revision of the source this code runs from, ``-dirty`` if changed; None outside git."""
    here = Path(__file__)

    def git(*words: str) -> str:
        command = ["git", "-C", str(here.parent), *words]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return answer.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # installed inside another repository?
        return git("describe", "--always", "--dirty", "--abbrev=40") or None
    except (OSError, subprocess.SubprocessError):
        return None


def append_environment(folder: Path) -> None:
    """Add this process to ``environment.json`` (a list: one entry per start or resume).

    Raises:
        UsageError: the file is damaged.
    """
    path = folder / "environment.json"
    entries: list[dict[str, Any]] = []
    if path.exists():
        try:
            entries = list(json.loads(path.read_text()))
        except (OSError, TypeError, ValueError) as error:
            raise UsageError(f"{path} cannot be read ({error}); move it away") from error
    atomic_write(path, json.dumps([*entries, environment()], indent=2) + "\n")


def remove_temporary_files(folder: Path) -> None:
    """Delete what a process killed while writing left behind."""
    for path in folder.glob(".*.tmp*"):
        path.unlink(missing_ok=True)


def truncate_metrics(folder: Path, epochs: int) -> None:
    """Drop rows of ``metrics.csv`` after ``epochs``: those epochs are about to be repeated.

    Raises:
        UsageError: the file is damaged.
    """
    path = folder / METRICS
    if not path.exists():
        return
    try:
        rows = list(csv.reader(io.StringIO(path.read_text())))
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read ({error}); move it away") from error
    kept = rows[: epochs + 1]  # header and one row an epoch
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(kept)
    atomic_write(path, out.getvalue())
