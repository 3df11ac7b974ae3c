"""An emulated aarch64 Python with LiteRT, and the delegate built for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.native.cache import UnavailableError, cache_folder
from tests.native.children import ROOT

_COMPILER = "aarch64-linux-gnu-g++"


def arm_python() -> Path:
    """Its command, made by ``tools/arm64_userland.sh`` when first asked for.

    Raises:
        UnavailableError: a tool for it is missing.
    """
    folder = cache_folder() / "arm64"
    script = ROOT / "tools" / "arm64_userland.sh"
    # pip of the Python that runs the tests
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [script, folder],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    if done.returncode != 0:
        raise UnavailableError(done.stderr.strip() or f"{script.name} failed")
    return folder / "python"


def arm_library(build: Path) -> Path:
    """The delegate for aarch64: ``LCE_DELEGATE_LIBRARY_AARCH64``, or a cross build in ``build``.

    Raises:
        UnavailableError: no cross compiler.
    """
    named = os.environ.get("LCE_DELEGATE_LIBRARY_AARCH64")
    if named:
        return Path(named)
    missing = [tool for tool in ("cmake", _COMPILER) if shutil.which(tool) is None]
    if missing:
        raise UnavailableError(
            f"needs {' and '.join(missing)} (Debian: cmake g++-aarch64-linux-gnu)"
        )
    source = ROOT / "native"
    toolchain = source / "cmake" / "aarch64-linux-gnu.cmake"
    configure = ["cmake", "-S", source, "-B", build, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"]
    for command in (configure, ["cmake", "--build", build, "--target", "lce_delegate", "-j2"]):
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return build / "liblce_delegate.so"
