"""Build the wheels of ``lce_delegate`` for several machines, and check what is in them.

    python native/tools/build_wheels.py --out dist

Every wheel fits all Python 3 versions and, for x86_64 and aarch64, all Linux systems with glibc
2.17 or newer (manylinux2014). On x86_64, ARM builds need Debian's cross compilers; other machines
build their own wheel unless told otherwise. Each library is held to its machine, to the C library
as its only dependency, to that glibc, to its functions and to a size.

Needs the packages of the extra ``tools``: pip install "./native[tools]".
"""

import argparse
import importlib.util
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Optional

NATIVE = Path(__file__).resolve().parents[1]
LIBRARY = "lce_delegate/liblce_delegate.so"
MAX_LIBRARY_BYTES = 200_000
EXPORTS = [
    "lce_delegate_info",
    "lce_delegate_profile",
    "lce_delegate_reset_profile",
    "lce_delegate_version",
    "tflite_plugin_create_delegate",
    "tflite_plugin_destroy_delegate",
]
MODULES = ("build", "wheel", "auditwheel", "elftools")
INSTALL = 'pip install "./native[tools]"'


class WheelError(Exception):
    """A build or a check failed; the text is one line."""


@dataclass(frozen=True)
class Target:
    """A machine wheels are built for.

    ``machine`` and ``bits`` are what the ELF header must say, ``platforms`` the wheel's platform
    tags, ``glibc`` the newest symbol version that these allow.
    """

    machine: str
    bits: int
    toolchain: Optional[str]
    platforms: str
    glibc: tuple[int, int] = (2, 17)


TARGETS = {
    "x86_64": Target("EM_X86_64", 64, None, "manylinux2014_x86_64.manylinux_2_17_x86_64"),
    "aarch64": Target(
        "EM_AARCH64",
        64,
        "aarch64-linux-gnu.cmake",
        "manylinux2014_aarch64.manylinux_2_17_aarch64",
    ),
    "armv7l": Target("EM_ARM", 32, "arm-linux-gnueabihf.cmake", "linux_armv7l"),
}


@dataclass(frozen=True)
class Library:
    """What the checks read from a shared library."""

    machine: str
    bits: int
    needed: list[str]
    glibc: tuple[int, int]
    exports: list[str]
    has_symbol_table: bool
    size: int


def main(arguments: Optional[list[str]] = None) -> int:
    """Build, check, print a table; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the wheels")
    parser.add_argument("--arch", nargs="+", choices=list(TARGETS),
                        help="default: x86_64 aarch64 on x86_64, else this machine")  # fmt: skip
    parser.add_argument("--no-isolation", action="store_true",
                        help="use the installed scikit-build-core, offline")  # fmt: skip
    options = parser.parse_args(arguments)
    machines = options.arch or default_machines()
    if not machines:
        print(
            f"error: --arch: no wheel is defined for this machine, {_host()}, accepted: "
            f"{', '.join(TARGETS)}",
            file=sys.stderr,
        )
        return 2
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        print(f"error: no module {', '.join(missing)}: {INSTALL}", file=sys.stderr)
        return 2
    rows = []
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for arch in dict.fromkeys(machines):
            wheel = build(arch, options.out, isolated=not options.no_isolation)
            library = check(arch, wheel)
            version = _dotted(library.glibc)
            rows.append((arch, wheel.name, library.size, version, audit(arch, wheel)))
    except WheelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: --out {options.out}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"{'machine':<8} {'library':>8} {'glibc':>5}  {'auditwheel':<20} wheel")
    for arch, name, size, version, audited in rows:
        print(f"{arch:<8} {size:>8} {version:>5}  {audited:<20} {name}")
    return 0


def default_machines() -> list[str]:
    """Machines whose wheels are built unless the command line says which."""
    if _host() == "x86_64":
        return ["x86_64", "aarch64"]
    return [_host()] if _host() in TARGETS else []


def build(arch: str, out: Path, *, isolated: bool) -> Path:
    """Build and tag the wheel of one machine; returns its path in ``out``."""
    target = TARGETS[arch]
    command = [sys.executable, "-m", "build", "--wheel"]
    if target.toolchain and arch != _host():
        toolchain = NATIVE / "cmake" / target.toolchain
        command.append(f"--config-setting=cmake.args=-DCMAKE_TOOLCHAIN_FILE={toolchain}")
    elif arch != _host():
        raise WheelError(f"{arch} wheels are built on {arch} machines, this is {_host()}")
    if not isolated:
        command += ["--no-isolation", "--skip-dependency-check"]
    with tempfile.TemporaryDirectory() as folder:
        _run([*command, f"--outdir={folder}", str(NATIVE)])
        (built,) = Path(folder).glob("*.whl")
        # scikit-build-core tags for the machine it runs on.
        tag = ["--platform-tag", target.platforms, "--remove", str(built)]
        name = _run([sys.executable, "-m", "wheel", "tags", *tag]).split()[-1]
        content = (Path(folder) / name).read_bytes()
    wheel = out / name
    wheel.write_bytes(content)
    return wheel


def check(arch: str, wheel: Path) -> Library:
    """Hold the library in a wheel to what its tag promises.

    Raises:
        WheelError: it does not keep it.
    """
    target = TARGETS[arch]
    with zipfile.ZipFile(wheel) as archive:
        libraries = [name for name in archive.namelist() if ".so" in name]
        if libraries != [LIBRARY]:
            raise WheelError(f"{wheel.name} must hold one library, {LIBRARY}, found {libraries}")
        library = read_library(archive.read(LIBRARY))
    problems = []
    if (library.machine, library.bits) != (target.machine, target.bits):
        problems.append(f"is built for {library.machine}, {library.bits} bits")
    if library.needed != ["libc.so.6"]:
        problems.append(f"needs {', '.join(library.needed)}, allowed: libc.so.6")
    if library.glibc > target.glibc:
        problems.append(f"needs glibc {_dotted(library.glibc)}, allowed: {_dotted(target.glibc)}")
    if library.size > MAX_LIBRARY_BYTES:
        problems.append(f"has {library.size} bytes, allowed: {MAX_LIBRARY_BYTES}")
    if library.has_symbol_table:
        problems.append("is not stripped")
    foreign = [name for name in library.exports if name not in EXPORTS]
    if foreign:
        problems.append(f"exports {', '.join(foreign[:5])}")
    absent = [name for name in EXPORTS if name not in library.exports]
    if absent:
        problems.append(f"does not export {', '.join(absent)}")
    if problems:
        raise WheelError(f"{arch}: the library {'; '.join(problems)}")
    return library


def read_library(content: bytes) -> Library:
    """Read a shared library's header, dependencies and symbols."""
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(BytesIO(content))
    dynamic = elf.get_section_by_name(".dynamic")
    needed = [t.needed for t in dynamic.iter_tags() if t.entry.d_tag == "DT_NEEDED"]
    symbols = elf.get_section_by_name(".dynsym").iter_symbols()
    exports = [s.name for s in symbols if s.name and s["st_shndx"] != "SHN_UNDEF"]
    versions = [(0, 0)]
    section = elf.get_section_by_name(".gnu.version_r")
    for _, auxiliaries in section.iter_versions() if section else []:
        for auxiliary in auxiliaries:
            if not auxiliary.name.startswith("GLIBC_"):
                continue  # of a library that may not be needed at all
            found = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", auxiliary.name)
            if not found:
                raise WheelError(f"the library needs the symbol version {auxiliary.name}")
            versions.append((int(found[1]), int(found[2])))
    return Library(
        machine=elf["e_machine"],
        bits=elf.elfclass,
        needed=needed,
        glibc=max(versions),
        exports=sorted(exports),
        has_symbol_table=elf.get_section_by_name(".symtab") is not None,
        size=len(content),
    )


def audit(arch: str, wheel: Path) -> str:
    """Tag that auditwheel finds, or why it was not asked.

    Raises:
        WheelError: auditwheel contradicts the wheel's tag.
    """
    if not TARGETS[arch].platforms.startswith("manylinux"):
        return "no manylinux policy"
    text = _run([sys.executable, "-m", "auditwheel", "show", str(wheel)])
    found = re.search(r'platform\s+tag:\s+"manylinux_(\d+)_(\d+)_(\w+)"', text)
    if not found:
        raise WheelError(f"auditwheel does not accept {wheel.name}: {' '.join(text.split())[:200]}")
    if (int(found[1]), int(found[2])) > TARGETS[arch].glibc or found[3] != arch:
        raise WheelError(f"auditwheel finds {found[0]} in {wheel.name}")
    return f"manylinux_{found[1]}_{found[2]}"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _host() -> str:
    return platform.machine()


def _run(command: list[str]) -> str:
    """Output of a command; its log goes to stderr only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        words = " ".join(command[1:5])
        raise WheelError(f"`python {words}` ended with status {done.returncode}, see above")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
