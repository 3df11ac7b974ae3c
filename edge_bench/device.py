"""What a target is and has (`irnet device info`), and our runtime on it (`irnet device setup`)."""

import dataclasses
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from edge_bench.schema import CpuState
from edge_bench.targets import Facts, Target, TargetError
from edge_bench.targets.target import VENV
from edge_bench.tools import info_argv, read_info
from irnet_keras.errors import CheckFailed, UsageError

SETUP_ARCHS = ("aarch64", "x86_64")  # that LiteRT has wheels for
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
_SECONDS = 600.0  # an SD card unpacks 100 MB slowly
_ROOT = Path(__file__).resolve().parents[1]
_BUILD = "python native/tools/build_wheels.py"
_GLIBC = ((2, 35), (2, 34), (2, 31), (2, 28), (2, 27), (2, 17))  # that wheels are tagged with

# Runs on the target with its own Python and nothing else. Wheels are unpacked rather than
# installed: pip and ensurepip are often not there, and these wheels need no more.
_INSTALL = """
import pathlib, shutil, subprocess, sys, zipfile
venv = pathlib.Path.home() / sys.argv[1]
fresh, old = venv.with_name(venv.name + ".new"), venv.with_name(venv.name + ".old")
for folder in (fresh, old):
    shutil.rmtree(folder, ignore_errors=True)
fresh.parent.mkdir(parents=True, exist_ok=True)
subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], check=True)
(site,) = fresh.glob("lib/python3.*/site-packages")
for wheel in sys.argv[2:]:
    zipfile.ZipFile(wheel).extractall(site)
python = fresh / "bin" / "python"
code = "import lce_delegate, ai_edge_litert.interpreter; lce_delegate.info()"
done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
if done.returncode:
    shutil.rmtree(fresh)
    sys.exit("what was installed does not work: " + (done.stderr.strip().splitlines() or ["?"])[-1])
if venv.exists():
    venv.rename(old)
fresh.rename(venv)
shutil.rmtree(old, ignore_errors=True)
"""


def info(target: Target) -> dict[str, Any]:
    """Facts, conditions and runtime of an opened target.

    Returns:
        ``target``, the fields of :class:`Facts`, ``arch``, ``conditions`` (:class:`CpuState`),
        ``runtime`` (what ``python -m lce_delegate info`` says, or None) and ``missing``:
        sentences.
    """
    facts = target.facts()
    found, missing = _runtime(target)
    if facts.os_bits == 32:
        missing.append("a 64-bit system: LCE's fast kernels and LiteRT's wheels need one")
    conditions: CpuState = target.conditions()
    return {
        "target": target.label,
        **dataclasses.asdict(facts),
        "arch": facts.arch,
        "conditions": conditions.model_dump(mode="json"),
        "runtime": found,
        "missing": missing,
    }


def _runtime(target: Target) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        python = target.python
    except TargetError:
        return None, ["Python 3: lce_delegate needs it, benchmark_model does not"]
    done = target.run(info_argv(python), timeout_s=120)
    try:
        if done.status:
            raise ValueError(done.last_line())
        found = read_info(done.stdout)
    except ValueError:
        return None, ["lce_delegate: irnet device setup"]
    return {
        "lce_delegate": found.version,
        "litert": found.runtime.version if found.runtime else None,
        "kernels": [each.name for each in found.kernel_sets if each.supported],
    }, [] if found.runtime else ["LiteRT: irnet device setup"]


def setup(
    target: Target, wheels: Path | None, log: Callable[[str], None] = lambda line: None
) -> list[str]:
    """Install LiteRT, NumPy and ``lce_delegate`` in a virtual environment of their own.

    Args:
        target: opened; nothing outside ``~/.local/share/irnet`` is changed there.
        wheels: folder with wheels to use; what it lacks is fetched (LiteRT, NumPy) or built
            (``lce_delegate``, from this source tree).
        log: receives progress lines.

    Returns:
        Names of the installed wheels.

    Raises:
        CheckFailed: the target cannot have it, or something is missing; says what.
    """
    facts = target.facts()
    where = target.address.text
    if target.address.kind == "adb":
        raise UsageError(
            f"{where}: phones have no Python to set up; use --tool benchmark_model --tool-path"
        )
    if facts.arch not in SETUP_ARCHS:
        raise CheckFailed(
            f"{where}: LiteRT has wheels for {' and '.join(SETUP_ARCHS)}, this system runs "
            f"{facts.arch} programs"
        )
    python = target.shell("command -v python3 || true").strip()
    version = "none"
    if python:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        version = target.run([python, "-c", code], timeout_s=60).stdout.strip()[:20]
    if version not in PYTHONS:
        raise CheckFailed(
            f"{where}: needs Python {PYTHONS[0]} to {PYTHONS[-1]} (apt install python3), found: "
            f"{version}"
        )
    with tempfile.TemporaryDirectory() as folder:
        chosen = _collect(target, facts, version, wheels, Path(folder), log)
        log(f"copying {', '.join(path.name for path in chosen)}")
        remotes = [target.push(path) for path in chosen]
    log("installing")
    argv = [python, "-c", _INSTALL, VENV, *remotes]
    done = target.run(argv, timeout_s=_SECONDS)
    if done.status:
        raise target.error(f"setup failed: {done.last_line()}")
    return [path.name for path in chosen]


def _collect(
    target: Target,
    facts: Facts,
    version: str,
    wheels: Path | None,
    folder: Path,
    log: Callable[[str], None],
) -> list[Path]:
    """One wheel each of NumPy, LiteRT and the delegate."""
    given = sorted(wheels.glob("*.whl")) if wheels is not None else []
    tag = f"cp{version.replace('.', '')}"
    found: list[Path] = []
    for name in ("numpy", "ai_edge_litert", "lce_delegate"):
        fitting = [w for w in given if _fits(w.name, name, tag, facts.arch)]
        if fitting:
            found.append(fitting[-1])
        elif name == "lce_delegate":
            log(f"building lce_delegate for {facts.arch}")
            found.append(_built(facts.arch, folder))
        else:
            requirement = _requirement(name, version)
            log(f"fetching {requirement}")
            found.append(_fetched(requirement, version, facts.arch, _glibc(target), folder))
    return found


def _fits(wheel: str, name: str, tag: str, arch: str) -> bool:
    return (
        wheel.startswith(f"{name}-")
        and arch in wheel.rpartition("-")[2]
        and bool(re.search(rf"-({tag}|py3|py2\.py3)-", wheel))
    )


def _requirement(name: str, version: str) -> str:
    """This machine's version, so that results compare; NumPy's is not built for every Python."""
    distribution = name.replace("_", "-")
    if name == "numpy" and version == "3.13":
        return "numpy>=2.1"
    return f"{distribution}=={metadata.version(distribution)}"


def _glibc(target: Target) -> tuple[int, int]:
    """Of the target, (2, 17) if unknown."""
    text = target.shell("getconf GNU_LIBC_VERSION 2>/dev/null || true")
    match = re.search(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (2, 17)


def _fetched(
    requirement: str, version: str, arch: str, glibc: tuple[int, int], folder: Path
) -> Path:
    tags = [f"manylinux_{a}_{b}_{arch}" for a, b in _GLIBC if (a, b) <= glibc]
    platforms = [word for tag in [*tags, f"manylinux2014_{arch}"] for word in ("--platform", tag)]
    into = folder / re.sub(r"\W.*", "", requirement)
    command: Sequence[str] = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version",
        version, *platforms, "--dest", str(into), requirement,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(into.glob("*.whl")) if into.is_dir() else []
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CheckFailed(
            f"pip cannot fetch {requirement} for Python {version} on {arch}: {reason}; put its "
            "wheel into a folder and name that with --wheels"
        )
    return found[0]


def _built(arch: str, folder: Path) -> Path:
    script = _ROOT / "native" / "tools" / "build_wheels.py"
    advice = f"make one with `{_BUILD} --arch {arch} --out DIR` in the source tree: --wheels DIR"
    if not script.is_file():
        raise CheckFailed(f"no wheel of lce_delegate for {arch} is here; {advice}")
    done = subprocess.run(
        [sys.executable, str(script), "--arch", arch, "--out", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(folder.glob("lce_delegate-*.whl"))
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CheckFailed(f"lce_delegate for {arch} cannot be built: {reason}; {advice}")
    return found[0]
