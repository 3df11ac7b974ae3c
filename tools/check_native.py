"""Checks what compilers do not: kernel names, the list of kernels, who includes whom.

    python tools/check_native.py

Prints one line per finding and exits with 1 if there is any. Standard library only.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "native"
SOURCES = ROOT / "src"
KERNELS = SOURCES / "kernels"
ISAS = {
    "scalar": "kScalar",
    "avx2": "kAvx2",
    "avx512": "kAvx512",
    "neon": "kNeon",
}
# lce_<op>_<out>_<tile>_<isa>: a tile is a number of elements, or pixels x channels.
NAME = re.compile(r"lce_([a-z]+)_(f32|i8|u8|bool|bits)_(\d+(?:x\d+)?)_([a-z0-9]+)")
ROW = re.compile(r"^LCE_KERNEL\((\w+), (\w+), (\w+)\)$", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.M)

# What files of a folder may include, besides the C headers: prefixes.
MAY_INCLUDE = {
    "kernels": ("kernels/",),
    "core": ("core/", "kernels/kernel.h"),
    "dispatch": ("dispatch/", "kernels/"),
    "delegate": ("delegate/", "core/", "dispatch/", "kernels/kernel.h", "lce_delegate/"),
}
C_HEADERS = {
    "kernels": {"stdint.h", "stddef.h", "string.h"},
    "core": {
        *("stdint.h", "stddef.h", "string.h", "stdio.h", "stdlib.h", "stdarg.h"),
        *("time.h", "pthread.h", "sched.h", "unistd.h"),
    },
    "dispatch": {"stdint.h", "stddef.h", "string.h", "cpuid.h"},
    "delegate": {
        *("stdint.h", "stddef.h", "string.h", "stdio.h", "stdlib.h", "time.h", "pthread.h"),
    },
}
INTRINSICS = {"immintrin.h", "arm_neon.h", "xmmintrin.h"}


def kernel_findings() -> list[str]:
    """The list, the files and the names agree."""
    findings = []
    text = (KERNELS / "kernels.inc").read_text()
    files = {path.stem: path for path in KERNELS.glob("*/*.cc")}
    listed = set()
    for _, name, isa in ROW.findall(text):
        if name in listed:
            findings.append(f"kernels.inc: {name} is listed twice")
        listed.add(name)
        match = NAME.fullmatch(name)
        if match is None:
            findings.append(f"kernels.inc: {name} is not lce_<op>_<out>_<tile>_<isa>")
            continue
        if ISAS.get(match[4]) != isa:
            findings.append(f"kernels.inc: {name} is listed as {isa}")
        if name not in files:
            findings.append(f"kernels.inc: {name} has no file src/kernels/{match[1]}/{name}.cc")
        elif files[name].parent.name != match[1]:
            findings.append(f"{files[name].relative_to(ROOT)}: belongs into kernels/{match[1]}/")
        elif not re.search(rf"\b{name} = ", files[name].read_text()):
            findings.append(f"{files[name].relative_to(ROOT)}: does not define {name}")
    findings += [
        f"{path.relative_to(ROOT)}: is not in kernels.inc"
        for name, path in sorted(files.items())
        if name not in listed
    ]
    return findings


def documentation_findings() -> list[str]:
    """Every kernel is in the reference's table, and nothing else is."""
    listed = {name for _, name, _ in ROW.findall((KERNELS / "kernels.inc").read_text())}
    page = ROOT.parent / "docs" / "native" / "reference.md"
    documented = {match[0] for match in NAME.finditer(page.read_text())}
    missing = [f"{name} is missing" for name in sorted(listed - documented)]
    extra = [f"{name} is not in kernels.inc" for name in sorted(documented - listed)]
    return [f"docs/native/reference.md: {finding}" for finding in missing + extra]


def include_findings() -> list[str]:
    """Layers include only what they may; no C++ standard library anywhere."""
    findings = []
    for path in sorted(SOURCES.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        layer = path.relative_to(SOURCES).parts[0]
        for included in INCLUDE.findall(path.read_text()):
            ours = included.startswith(MAY_INCLUDE[layer])
            header = included in C_HEADERS[layer] or (
                included in INTRINSICS and layer in ("kernels", "core")
            )
            if not ours and not header:
                findings.append(f"{path.relative_to(ROOT)}: may not include {included}")
    return findings


def abi_findings() -> list[str]:
    """C functions are in one file."""
    return [
        f'{path.relative_to(ROOT)}: extern "C" functions belong into delegate/adaptor.cc'
        for path in sorted(SOURCES.rglob("*.cc"))
        if path.name != "adaptor.cc" and 'extern "C"' in path.read_text()
    ]


def main() -> int:
    findings = kernel_findings() + documentation_findings() + include_findings() + abi_findings()
    for finding in findings:
        print(finding)
    rows = len(ROW.findall((KERNELS / "kernels.inc").read_text()))
    print(f"{rows} kernels listed, {len(findings)} findings")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
