"""Where tests keep what they download: ``IRNET_CACHE`` or ``~/.cache/irnet``."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.native.children import python


class UnavailableError(RuntimeError):
    """Something has to be downloaded and cannot be."""


def cache_folder() -> Path:
    """The folder, made if it is missing."""
    named = os.environ.get("IRNET_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "irnet"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs, so that tests in parallel download once."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(requirement: str) -> Path:
    """A folder with one package, without its dependencies, for this Python.

    Raises:
        UnavailableError: pip could not install it.
    """
    folder = cache_folder() / "runtimes" / requirement.replace("==", "-")
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.parent / f"{folder.name}.lock"):
        if (folder / ".complete").is_file():
            return folder
        partial = folder.parent / f"{folder.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        command = python("-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:")
        done = subprocess.run(
            [*command, "--target", str(partial), requirement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UnavailableError(f"pip cannot install {requirement}: {reason}")
        (partial / ".complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return folder
