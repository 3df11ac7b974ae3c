"""What the NEON kernels cost, without ARM hardware.

    python native/tools/arm_report.py [--check] [--json]

Emulated: bench/arm_static.cc runs one layer N and 2N times under qemu-aarch64; the plugin in
insn_count/ counts the instructions executed, and the difference is what N runs of the kernel
take, start-up and packing excluded, loads, loops and the output transform included. These counts
are exact and the same on every machine.

Modelled: llvm-mca's cycles for the inner loop, taken from the compiler's output. A model knows
neither caches nor a compiler's choices elsewhere; it is no measurement. The same loop with UDOT
(bench/udot_loop.s) is there to show why no kernel uses it.

Both are given per 128 binary multiply-adds. ``--check`` exits with 1 if a limit is missed; a tool
that is missing gives 2.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NATIVE = Path(__file__).resolve().parent.parent
PREFIX = "lce_bconv_"
FLAGS = ["-std=c++17", "-O3", "-fno-exceptions", "-fno-rtti", "-ffp-contract=off"]
UNIT_MACS = 128
PLUGIN_VERSIONS = range(1, 8)  # of QEMU's interface; each release takes some of them

# Three vector instructions are the least that xor, popcount and add take; the rest of the limit
# is for loads, loops and the output transform of layers with at least 128 channels.
INSTRUCTION_LIMIT = 3.6
LIMITED_LAYERS = ["28x28x128", "14x14x256", "7x7x512"]
LIMITED_KERNELS = ["f32_7x8_neon", "bits_7x8_neon"]
OTHER_KERNELS = ["i8_7x8_neon", "f32_7x8_neon fused"]
OTHER_LAYERS = ["56x56x64", "16x16x32"]

CYCLE_LIMITS = {"cortex-a72": 1.7, "neoverse-n1": 1.6}
OTHER_CPUS = ["cortex-a53", "cortex-a55"]
DOT_PRODUCT_CPUS = ["neoverse-n1", "cortex-a76"]  # that model UDOT and reorder instructions
MCA_ITERATIONS = 1000


@dataclasses.dataclass(frozen=True)
class Row:
    """One number and its limit, if it has one."""

    kind: str  # "emulated instructions" or "modelled cycles"
    subject: str  # a layer, or a CPU model
    kernel: str
    value: float
    limit: float | None

    @property
    def verdict(self) -> str:
        """What the table says about the limit."""
        if self.limit is None:
            return "-"
        return "pass" if self.value <= self.limit else "FAIL"


class MissingToolError(Exception):
    """A program that the report needs is not installed, or fails."""


def find_tool(names: list[str], variable: str, package: str) -> str:
    """The program named by the environment variable, or the first of ``names`` there is."""
    for name in [os.environ.get(variable, ""), *names]:
        path = shutil.which(name) if name else None
        if path:
            return path
    raise MissingToolError(
        f"none of {', '.join(names[-2:])} found; install the package {package} or set {variable}"
    )


def run(command: list[str]) -> str:
    """Standard output of a command; its errors are ours."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MissingToolError(f"{' '.join(command)} failed: {done.stderr.strip()[:500]}")
    return done.stdout


def count_macs(layer: str) -> int:
    """Binary multiply-adds of ``HEIGHTxWIDTHxCHANNELS`` with a 3x3 window."""
    height, width, channels = map(int, layer.split("x"))
    return height * width * 9 * channels * channels


class Counter:
    """Builds the harness and the plugin, and counts instructions."""

    def __init__(self, compiler: str, folder: Path) -> None:
        """Both are built in ``folder``."""
        self._qemu = find_tool(["qemu-aarch64"], "QEMU_AARCH64", "qemu-user (not -static)")
        host = find_tool(["gcc", "clang", "cc"], "HOST_CC", "gcc")
        self._program = folder / "arm_static"
        self._plugin = folder / "libinsn_count.so"
        self._log = folder / "count.txt"
        kernels = sorted(map(str, NATIVE.glob("src/kernels/bconv/*_neon.cc")))
        sources = [str(NATIVE / "bench/arm_static.cc"), *kernels]
        include = f"-I{NATIVE / 'src'}"
        run([compiler, *FLAGS, "-static", include, *sources, "-o", str(self._program)])
        self._build_plugin(host)

    def _build_plugin(self, host: str) -> None:
        source = str(NATIVE / "tools/insn_count/insn_count.c")
        error: MissingToolError | None = None
        for version in PLUGIN_VERSIONS:
            define = f"-DINSN_COUNT_API={version}"
            run([host, "-shared", "-fPIC", "-O2", define, source, "-o", str(self._plugin)])
            try:
                self._instructions(LIMITED_KERNELS[0], LIMITED_LAYERS[0], 0)
                return
            except MissingToolError as refused:
                error = error or refused
        raise MissingToolError(f"{self._qemu} does not take the plugin: {error}")

    def version(self) -> str:
        """The emulator's first line about itself."""
        return run([self._qemu, "--version"]).splitlines()[0]

    def _instructions(self, kernel: str, layer: str, times: int) -> int:
        name, *mode = kernel.split()
        plugin = ["-plugin", str(self._plugin), "-d", "plugin", "-D", str(self._log)]
        command = [str(self._program), PREFIX + name, layer, str(times), *mode]
        run([self._qemu, *plugin, *command])
        found = re.search(r"insn_count (\d+)", self._log.read_text())
        if not found:
            raise MissingToolError(f"{self._qemu} wrote no instruction count")
        return int(found[1])

    def per_unit(self, kernel: str, layer: str, times: int = 1) -> float:
        """Instructions per 128 binary multiply-adds of a layer."""
        once = self._instructions(kernel, layer, times)
        twice = self._instructions(kernel, layer, 2 * times)
        return (twice - once) * UNIT_MACS / (count_macs(layer) * times)


def inner_loop(compiler: str, folder: Path) -> list[str]:
    """The instructions of the inner loop, from the compiler's output."""
    assembly = folder / "kernel.s"
    source = NATIVE / "src/kernels/bconv" / f"{PREFIX}{LIMITED_KERNELS[0]}.cc"
    run([compiler, *FLAGS, f"-I{NATIVE / 'src'}", "-S", str(source), "-o", str(assembly)])
    for found in re.finditer(r"^\s*1:\n(.*?\n)\s*b\.ne 1b$", assembly.read_text(), re.M | re.S):
        lines = [line.strip() for line in found[1].splitlines()]
        if any(line.startswith("uadalp") for line in lines):
            return [*(line for line in lines if line), "again: b.ne again"]
    raise MissingToolError(f"no inner loop in the assembly of {source.name}")


def modelled_cycles(mca: str, cpu: str, loop: list[str], folder: Path) -> float:
    """llvm-mca's cycles per 128 binary multiply-adds; each CNT counts the bits of one unit."""
    units = sum(line.strip().startswith("cnt") for line in loop)
    source = folder / "loop.s"
    source.write_text("\n".join(loop) + "\n")
    options = ["-mtriple=aarch64-linux-gnu", f"-mcpu={cpu}", f"-iterations={MCA_ITERATIONS}"]
    found = re.search(r"Total Cycles:\s+(\d+)", run([mca, *options, str(source)]))
    if not found:
        raise MissingToolError(f"{mca} printed no cycles for {cpu}")
    return int(found[1]) / (MCA_ITERATIONS * units)


def measure(folder: Path) -> tuple[dict[str, str], list[Row]]:
    """Versions of the tools, and all rows."""
    compiler = find_tool(["aarch64-linux-gnu-g++"], "AARCH64_CXX", "g++-aarch64-linux-gnu")
    newest_first = [f"llvm-mca-{version}" for version in range(29, 13, -1)]
    mca = find_tool([*newest_first, "llvm-mca"], "LLVM_MCA", "llvm")
    counter = Counter(compiler, folder)
    cases = [
        (layer, kernel, INSTRUCTION_LIMIT if kernel in LIMITED_KERNELS else None)
        for layer in LIMITED_LAYERS
        for kernel in LIMITED_KERNELS + OTHER_KERNELS
    ]
    cases += [(layer, kernel, None) for layer in OTHER_LAYERS for kernel in LIMITED_KERNELS]
    rows = [
        Row("emulated instructions", layer, kernel, counter.per_unit(kernel, layer), limit)
        for layer, kernel, limit in cases
    ]
    loop = inner_loop(compiler, folder)
    for cpu in [*CYCLE_LIMITS, *OTHER_CPUS]:
        cycles = modelled_cycles(mca, cpu, loop, folder)
        rows.append(Row("modelled cycles", cpu, "inner loop", cycles, CYCLE_LIMITS.get(cpu)))
    udot = (NATIVE / "bench/udot_loop.s").read_text().splitlines()
    for cpu in DOT_PRODUCT_CPUS:
        cycles = modelled_cycles(mca, cpu, udot, folder)
        rows.append(Row("modelled cycles", cpu, "loop with UDOT", cycles, None))
    versions = {
        "compiler": run([compiler, "--version"]).splitlines()[0],
        "emulator": counter.version(),
        "model": next(x.strip() for x in run([mca, "--version"]).splitlines() if "version" in x),
    }
    return versions, rows


def print_table(versions: dict[str, str], rows: list[Row]) -> None:
    """For people."""
    for name, version in versions.items():
        print(f"{name:9} {version}")
    print("No ARM hardware was involved. Per 128 binary multiply-adds:")
    for row in rows:
        limit = "" if row.limit is None else f"<= {row.limit}"
        print(
            f"{row.kind:22} {row.subject:12} {row.kernel:20} {row.value:7.3f} {limit:>7} "
            f"{row.verdict}"
        )


def main() -> int:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is missed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            versions, rows = measure(Path(folder))
    except MissingToolError as error:
        print(f"arm_report: {error}", file=sys.stderr)
        return 2
    if options.json:
        listed = [{**dataclasses.asdict(row), "verdict": row.verdict} for row in rows]
        print(json.dumps({"unit_macs": UNIT_MACS, "tools": versions, "rows": listed}, indent=1))
    else:
        print_table(versions, rows)
    missed = any(row.verdict == "FAIL" for row in rows)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
