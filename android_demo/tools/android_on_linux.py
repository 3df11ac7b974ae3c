"""Make Android's TensorFlow Lite library load on Linux, so that its Java runs on a desktop JVM.

The library of the AAR asks for Android's C library under the names libc.so, libm.so, libdl.so and
liblog.so and for symbol versions that glibc has not. A copy without the version references, and
with new names for the few functions whose arguments differ, loads on glibc with the shim of
``bionic/shim.c``. What the library computes is not touched.
"""

import struct
import subprocess
from pathlib import Path

SHIM = Path(__file__).parent / "bionic" / "shim.c"
SHIM_NAMES = ("libc.so", "libm.so", "libdl.so", "liblog.so")
RENAMED = (
    b"fprintf",
    b"vfprintf",
    b"fwrite",
    b"fputc",
    b"fflush",
    b"fileno",
    b"sysconf",
    b"pthread_mutex_init",
)

PT_LOAD, PT_DYNAMIC = 1, 2
DT_STRTAB, DT_STRSZ = 5, 10
VERSION_TAGS = (0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF)
IGNORED_TAG = 0x6FFFFEF0


def without_versions(library: bytes) -> bytes:
    """A copy of a 64-bit little-endian ELF library that glibc's loader accepts.

    Raises:
        ValueError: a function to rename is not there, or shares its name with another symbol.
    """
    data = bytearray(library)
    (first,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    segments = [struct.unpack_from("<IIQQQQQQ", data, first + 56 * i) for i in range(count)]

    def offset(address: int) -> int:
        for kind, _, start, virtual, _, size, _, _ in segments:
            if kind == PT_LOAD and virtual <= address < virtual + size:
                return int(address - virtual + start)
        raise ValueError(f"address {address:#x} is in no segment")

    table = {}
    for kind, _, start, _, _, size, _, _ in segments:
        if kind != PT_DYNAMIC:
            continue
        for place in range(start, start + size, 16):
            tag, value = struct.unpack_from("<QQ", data, place)
            table[tag] = value
            if tag in VERSION_TAGS:
                struct.pack_into("<Q", data, place, IGNORED_TAG)
    strings, size = offset(table[DT_STRTAB]), table[DT_STRSZ]
    for name in RENAMED:
        place = data.find(b"\0" + name + b"\0", strings, strings + size)
        if place < 0:
            raise ValueError(f"no symbol of its own is called {name.decode()}")
        data[place + 1] = ord("B")
    return bytes(data)


def build(library: Path, out: Path, compiler: str = "gcc") -> None:
    """Write the patched library and the shim under all its names to a folder.

    Args:
        library: ``libtensorflowlite_jni.so`` of the AAR, of the compiler's instruction set.
        out: folder for ``LD_LIBRARY_PATH`` and ``java.library.path``.
        compiler: C compiler.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / library.name).write_bytes(without_versions(library.read_bytes()))
    first = out / SHIM_NAMES[0]
    command = [compiler, "-O1", "-Wall", "-fPIC", "-shared", "-o", first, SHIM]
    command += [f"-Wl,-soname,{SHIM_NAMES[0]}", "-Wl,--no-as-needed", "-lm", "-ldl"]
    subprocess.run(command, check=True)
    for name in SHIM_NAMES[1:]:
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to(first.name)
