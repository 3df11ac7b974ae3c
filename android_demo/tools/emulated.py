"""The arm64 library of the app in LiteRT for aarch64, under emulation.

It asks for Android's ``libc.so``; here that name is a link to glibc of an arm64 Debian userland
(``tools/arm64_userland.sh``). The same model runs in this library and in the delegate that g++
builds for Debian, with the same runtime; all bits must agree.
"""

import os
import shutil
import subprocess
from pathlib import Path

import build_native
from java_build import ROOT, java_home, run
from packages import BuildError

REPOSITORY = ROOT.parent
USERLAND = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "irnet" / "arm64"
MODEL = ROOT / "app" / "src" / "main" / "assets" / "resnet20-w1a1-cifar10.tflite"
SCRIPT = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, load_delegate
images = np.random.default_rng(0).normal(0, 1, (4, 1, 32, 32, 3)).astype(np.float32)
outputs = []
for library in sys.argv[2:]:
    delegates = [load_delegate(library)]
    interpreter = Interpreter(sys.argv[1], num_threads=2, experimental_delegates=delegates)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for image in images:
        interpreter.set_tensor(taken["index"], image)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(given["index"]))
    outputs.append(np.array(rows))
different = int(np.sum(outputs[0].view(np.uint32) != outputs[1].view(np.uint32)))
print(f"{outputs[0].size} logits, {different} different")
sys.exit(different != 0)
"""


def run_arm64(out: Path) -> None:
    """Build both libraries and compare them.

    Args:
        out: folder of native builds.

    Raises:
        BuildError: a tool is missing, or a bit differs.
    """
    qemu = shutil.which("qemu-aarch64-static")
    if qemu is None:
        raise BuildError("qemu is needed: apt install qemu-user-static")
    android = build_native.build("arm64-v8a", java_home(), out)
    debian = out / "debian-arm64"
    toolchain = REPOSITORY / "native" / "cmake" / "aarch64-linux-gnu.cmake"
    configure = ["cmake", "-S", REPOSITORY / "native", "-B", debian, "-G", "Ninja"]
    run([*configure, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"], stdout=subprocess.DEVNULL)
    run(["cmake", "--build", debian], stdout=subprocess.DEVNULL)
    run(["bash", REPOSITORY / "tools" / "arm64_userland.sh", USERLAND])
    link = android.parent / "libc.so"
    link.unlink(missing_ok=True)
    link.symlink_to(next(USERLAND.rglob("libc.so.6")))
    command = [qemu, "-cpu", "cortex-a72", "-L", USERLAND]
    for setting in (
        f"PYTHONHOME={USERLAND / 'usr'}",
        f"PYTHONPATH={USERLAND / 'opt' / 'site'}",
        f"LD_LIBRARY_PATH={android.parent}",
    ):
        command += ["-E", setting]
    command += [USERLAND / "usr" / "bin" / "python3.11", "-c", SCRIPT, MODEL]
    run([*command, android, debian / "liblce_delegate.so"])
