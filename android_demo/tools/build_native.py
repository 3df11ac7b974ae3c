"""Build liblce_delegate_jni.so: for Android without the NDK, and for this machine's JVM.

The sources and their CMakeLists.txt are those that Gradle builds with the NDK.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "lce-delegate" / "src" / "main" / "cpp"
NO_NDK = ROOT / "tools" / "no_ndk"
NAME = "liblce_delegate_jni.so"
TARGETS = {"arm64-v8a": "aarch64-linux-android24", "x86_64": "x86_64-linux-android24"}
# What a compiler may call although no header here declares it.
ALWAYS = ("__cxa_atexit", "__cxa_finalize", "abort")
_FUNCTION = re.compile(r"\b(\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)[^;{}]*;")


def declared_functions() -> list[str]:
    """Names of the C library's functions that the headers of ``no_ndk`` declare."""
    names = {*ALWAYS}
    for header in sorted((NO_NDK / "include").glob("*.h")):
        names.update(_FUNCTION.findall(header.read_text(encoding="utf-8")))
    return sorted(names)


def build_stub(target: str, folder: Path) -> None:
    """Write a ``libc.so`` that has the names to link with and does nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    code = "".join(f"void {name}(void) {{}}\n" for name in declared_functions())
    command = ["clang", f"--target={target}", "-x", "c", "-", "-fno-builtin", "-w", "-nostdlib"]
    command += ["-shared", "-fPIC", "-fuse-ld=lld", "-Wl,-soname,libc.so"]
    subprocess.run([*command, "-o", folder / "libc.so"], input=code.encode(), check=True)


def jni_include(java_home: Path) -> str:
    """CMake list of the folders of the JDK's ``jni.h``, which is Android's too."""
    include = java_home / "include"
    return f"{include};{include / 'linux'}"


def build(abi: str, java_home: Path, out: Path) -> Path:
    """Build for an Android ABI or, with ``"host"``, for this machine.

    Args:
        abi: ``arm64-v8a``, ``x86_64`` or ``host``.
        java_home: a JDK.
        out: build folder.

    Returns:
        The library.
    """
    folder = out / abi
    options = [f"-DJNI_INCLUDE={jni_include(java_home)}"]
    if abi != "host":
        stubs = out / "stubs" / abi
        build_stub(TARGETS[abi], stubs)
        options += [
            f"-DCMAKE_TOOLCHAIN_FILE={NO_NDK / 'toolchain.cmake'}",
            f"-DLCE_ANDROID_ABI={abi}",
            f"-DLCE_STUBS={stubs}",
        ]
    configure = ["cmake", "-S", SOURCE, "-B", folder, "-G", "Ninja", *options]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder], check=True, stdout=subprocess.DEVNULL)
    return folder / NAME
