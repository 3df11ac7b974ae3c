"""Instructions of one inference on emulated aarch64, with fusion and without.

    python benchmarks/fusion_instructions.py MODEL.tflite ... [--library FILE] [--userland DIR]

Counts executed guest instructions of LiteRT's aarch64 wheel with the NEON kernels of the
delegate: of a process that runs 2 inferences and of one that runs 4, half the difference. The
counts are emulated (qemu), exact to about 0.2 %, and say nothing about caches. Needs
``tools/arm64_userland.sh DIR`` (default ~/.cache/irnet/arm64), g++-aarch64-linux-gnu, cmake and
the dynamic qemu-user package.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"
SCRIPT = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, load_delegate
model, library, fusion, count = sys.argv[1:]
options = {"fusion": fusion} if fusion != "none" else {}
delegate = load_delegate(library, {**options, "kernel": "neon"})
interpreter = Interpreter(model, experimental_delegates=[delegate], num_threads=1)
interpreter.allocate_tensors()
(details,) = interpreter.get_input_details()
values = np.random.default_rng(0).standard_normal(details["shape"]).astype(np.float32)
interpreter.set_tensor(details["index"], values)
for _ in range(int(count)):
    interpreter.invoke()
"""


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def count(plugin: Path, userland: Path, folder: Path, *arguments: str) -> int:
    log = folder / "count.txt"
    script = folder / "script.py"
    script.write_text(SCRIPT)
    environment = [
        *("-E", f"PYTHONHOME={userland}/usr"),
        *("-E", f"PYTHONPATH={userland}/opt/site"),
        *("-E", "PYTHONDONTWRITEBYTECODE=1"),
        *("-E", "PYTHONHASHSEED=0"),
        *("-E", "LD_LIBRARY_PATH="),
    ]
    run(
        *("qemu-aarch64", "-cpu", "cortex-a72", "-L", userland, *environment),
        *("-plugin", plugin, "-d", "plugin", "-D", log),
        *(userland / "usr" / "bin" / "python3.11", script, *arguments),
    )
    found = re.search(r"insn_count (\d+)", log.read_text())
    if found is None:
        raise SystemExit("the emulator wrote no instruction count")
    return int(found[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--library", type=Path, help="aarch64 library; default: cross-built")
    parser.add_argument("--userland", type=Path, default=Path.home() / ".cache/irnet/arm64")
    arguments = parser.parse_args()
    if not (arguments.userland / "python").exists():
        print(f"{arguments.userland}: run tools/arm64_userland.sh first", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        library = arguments.library
        if library is None:
            toolchain = NATIVE / "cmake" / "aarch64-linux-gnu.cmake"
            build = folder / "build"
            run("cmake", "-S", NATIVE, "-B", build, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}")
            run("cmake", "--build", build, "--target", "lce_delegate", "-j2")
            library = build / "liblce_delegate.so"
        plugin = folder / "plugin.so"
        source = NATIVE / "tools" / "insn_count" / "insn_count.c"
        run("gcc", "-shared", "-fPIC", "-O2", "-DINSN_COUNT_API=1", source, "-o", plugin)
        print("million instructions an inference (emulated aarch64, NEON, 1 thread)")
        for model in arguments.models:
            millions = {}
            for fusion in ("0", "1"):
                few, many = (
                    count(plugin, arguments.userland, folder, model, str(library), fusion, n)
                    for n in ("2", "4")
                )
                millions[fusion] = (many - few) / 2e6
            ratio = millions["1"] / millions["0"]
            name = Path(model).name
            print(f"{name}: {millions['0']:.2f} without, {millions['1']:.2f} with, {ratio:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
