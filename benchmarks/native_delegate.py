"""Measures the delegate against the bounds it was built for and prints them as one table.

    python benchmarks/native_delegate.py --models DIR [--rounds 40] [--check] [--json FILE]

``DIR`` holds birealnet18-{1bit,int8,float32}.tflite (``python benchmarks/birealnet18.py --out
DIR``). Networks are timed interleaved: every round visits every build once in a new random
order, after one untimed run. Kernels are timed by ``kernel_bench`` beside the peak of this CPU.
NEON counts are emulated, NEON cycles modelled (``native/tools/arm_report.py``); no ARM silicon is
involved. Exit status 1 with ``--check`` if a bound is missed, 2 if a file is missing.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from interleaving import interleaved

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"
BOUND_LAYERS = ((56, 64), (28, 128), (14, 256), (7, 512))
NEEDED = tuple(f"birealnet18-{form}.tflite" for form in ("1bit", "int8", "float32"))
THREAD_LAYERS = ((56, 64), (14, 256))


@dataclass
class Row:
    """One line of the table; ``bound`` is an upper one unless ``at_least``."""

    what: str
    value: float | None
    bound: float | None
    unit: str = ""
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool | None:
        if self.value is None or self.bound is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def litert(path: Path, threads: int = 1, **options: Any) -> tuple[Callable[[], Any], Any]:
    """A run function on fixed input, and the delegate (None without options)."""
    import lce_delegate
    from ai_edge_litert.interpreter import Interpreter

    from converters.untrusted import read_untrusted

    delegate = lce_delegate.load(**options) if options else None
    interpreter = Interpreter(
        model_content=read_untrusted(path).data,
        num_threads=threads,
        experimental_delegates=[delegate] if delegate is not None else None,
    )
    interpreter.allocate_tensors()
    (details,) = interpreter.get_input_details()
    values = np.random.default_rng(0).standard_normal(details["shape"]).astype(details["dtype"])
    interpreter.set_tensor(details["index"], values)
    return interpreter.invoke, delegate


def lce(path: Path, mode: str) -> Callable[[], Any]:
    """The same for LCE's own interpreter."""
    from converters.runtimes.interpreters import import_runtime
    from converters.runtimes.worker import pad_content
    from converters.untrusted import read_untrusted

    graph = read_untrusted(path)
    shape = graph.tensors[graph.inputs[0]].shape
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    runtime = import_runtime("lce")
    plain = mode == "reference"
    interpreter = runtime.LiteInterpreter(
        pad_content(graph.data), 1, plain, mode == "indirect", not plain
    )
    return lambda: interpreter.predict([values])


def supported_kernels() -> list[str]:
    import lce_delegate

    return [s["name"] for s in lce_delegate.info()["kernel_sets"] if s["supported"]]


def networks(models: Path, rounds: int) -> tuple[list[Row], dict[str, Any]]:
    rows: list[Row] = []
    times: dict[str, Any] = {}
    kernels = supported_kernels()
    for name, title, many in (("birealnet18", "ResNet-18", 1), ("resnet20", "ResNet-20", 10)):
        file = models / f"{name}-1bit.tflite"
        subjects: dict[str, Callable[[], Any]] = {}
        for kernel in kernels[:2]:
            subjects[f"delegate {kernel}"] = litert(file, kernel=kernel)[0]
        best = kernels[0]
        subjects[f"delegate {best}, no fusion"] = litert(file, kernel=best, fusion=False)[0]
        subjects["LCE indirect"] = lce(file, "indirect")
        for form in ("int8", "float32"):
            subjects[form] = litert(models / f"{name}-{form}.tflite")[0]
        median = interleaved(subjects, rounds * many)
        others = {m: lce(file, m) for m in ("default", "reference")}
        median |= {f"LCE {m}": t for m, t in interleaved(others, 5).items()}
        times[title] = median
        best_lce = min(t for n, t in median.items() if n.startswith("LCE"))
        first = median[f"delegate {best}"]
        if name == "resnet20":
            rows.append(Row(f"{title}: {best} / LCE's best mode", first / best_lce, 0.5))
            continue
        if best == "avx512":
            rows += [
                Row(f"{title}: avx512 / LCE's best mode", first / best_lce, 0.25),
                Row(f"{title}: avx512 / int8 LiteRT", first / median["int8"], 0.55),
                Row(f"{title}: avx512 / float32 LiteRT", first / median["float32"], 0.17),
            ]
        if "avx2" in kernels:
            avx2 = median["delegate avx2"]
            rows.append(Row(f"{title}: avx2 / LCE's best mode", avx2 / best_lce, 0.45))
        unfused = median[f"delegate {best}, no fusion"]
        rows.append(Row(f"{title}: fusion on / off", first / unfused, None))
    return rows, times


def kernel_shares(build: Path, rounds: int) -> list[Row]:
    """Share of the measured peak; needs a compiler and AVX-512."""
    commands = (
        ["cmake", "-S", NATIVE, "-B", build, "-DLCE_DELEGATE_TESTS=ON"],
        ["cmake", "--build", build, "--target", "kernel_bench", "-j2"],
    )
    for command in commands:
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    bench = build / "bench" / "kernel_bench"
    text = subprocess.run(
        [bench, "--kernel", "avx512", "--rounds", str(rounds)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    speed = {
        (layer, name.strip()): float(value)
        for layer, name, value in re.findall(r"^(\S+)\s+(.+?)\s+([\d.]+) GMAC/s", text, re.M)
    }
    rows = []
    for size, channels in BOUND_LAYERS:
        layer = f"{size}x{size}x{channels}"
        peak = speed.get((layer, "peak of xor, vpopcntd, add"))
        if peak is None:
            return [Row("share of the AVX-512 peak", None, 0.75, note="no AVX-512 here")]
        for output, bound in (("f32", 0.75), ("bits", 0.88)):
            value = speed[layer, f"lce_bconv_{output}_7x32_avx512"]
            note = f"{value:.0f} of {peak:.0f} GMAC/s"
            rows.append(
                Row(f"3x3 {layer}, {output}: share of peak", value / peak, bound, "", True, note)
            )
    return rows


def single_layer(size: int, channels: int, folder: Path) -> Path:
    import larq
    import larq_compute_engine
    import tensorflow as tf

    import irnet_keras.quantizers  # noqa: F401  (selects Keras 2 before TensorFlow comes)

    image = tf.keras.layers.Input((size, size, channels), batch_size=1)
    conv = larq.layers.QuantConv2D(
        channels,
        3,
        padding="same",
        pad_values=1.0,
        use_bias=False,
        input_quantizer="ede_sign",
        kernel_quantizer="libra_pb",
    )
    model = tf.keras.Model(image, tf.keras.layers.BatchNormalization()(conv(image)))
    path = folder / f"layer_{size}_{channels}.tflite"
    path.write_bytes(larq_compute_engine.convert_keras_model(model))
    return path


def second_core(bench: Path) -> float:
    """What a second core adds just now, 0 to 1: virtual cores may share a real one.

    Two processes that only work in registers, against one.
    """
    layer = ["--kernel", "bits_7x32_avx512", "--layer", "14x14x256", "--rounds", "101"]

    def peaks(processes: int) -> float:
        running = [
            subprocess.Popen([bench, *layer], stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        texts = [process.communicate()[0] for process in running]
        return sum(float(re.findall(r"add +([\d.]+) GMAC/s", text)[0]) for text in texts)

    return peaks(2) / peaks(1) - 1


def thread_ratios(folder: Path, rounds: int, bench: Path) -> list[Row]:
    """Time of the convolution alone (from the profile) with two threads over one."""
    import lce_delegate

    rows = []
    measurable = "avx512" in supported_kernels()
    for size, channels in THREAD_LAYERS:
        cores = [second_core(bench)] if measurable else []
        path = single_layer(size, channels, folder)
        runs = {threads: litert(path, threads, profiling=True) for threads in (1, 2)}
        samples: dict[int, list[int]] = {1: [], 2: []}
        for _ in range(rounds * 5):
            for threads, (run, delegate) in runs.items():
                run()
                lce_delegate.reset_profile(delegate)
                run()
                ops = lce_delegate.profile(delegate)
                samples[threads] += [op["total_ns"] for op in ops if op["op"] == "LceBconv2d"]
        one, two = (float(np.median(samples[t])) / 1e3 for t in (1, 2))
        name = f"{size}x{size}x{channels}: 2 threads / 1 thread"
        note = f"{two:.0f} / {one:.0f} us"
        if measurable:
            cores.append(second_core(bench))
            note += f"; a second process adds {min(cores):.0%} of a core"
        rows.append(Row(name, two / one, 0.6, note=note))
    return rows


def load_and_prepare(models: Path, rounds: int) -> Row:
    import lce_delegate
    from ai_edge_litert.interpreter import Interpreter

    content = (models / "birealnet18-1bit.tflite").read_bytes()
    samples: list[float] = []
    for _ in range(rounds):
        begin = time.perf_counter()
        delegate = lce_delegate.load()
        interpreter = Interpreter(model_content=content, experimental_delegates=[delegate])
        interpreter.allocate_tensors()
        samples.append(1e3 * (time.perf_counter() - begin))
        del interpreter
    value = float(np.median(samples))
    return Row("load the delegate, prepare ResNet-18", value, 15, " ms", note="XNNPACK's included")


def library_size(folder: Path) -> Row:
    import lce_delegate

    copy = folder / "stripped.so"
    command = ["strip", "-o", str(copy), str(lce_delegate.library_path())]
    subprocess.run(command, check=True)
    return Row("library, stripped", copy.stat().st_size / 1000, 200, " kB")


def neon() -> list[Row]:
    """From arm_report.py, as it prints them."""
    run = subprocess.run(
        [sys.executable, str(NATIVE / "tools" / "arm_report.py"), "--json"],
        capture_output=True,
        text=True,
    )
    if run.returncode != 0:
        reason = (run.stderr.strip() or "no output").splitlines()[-1]
        return [Row("NEON, emulated and modelled", None, None, note=f"skipped: {reason}")]
    return [
        Row(f"NEON {r['subject']} {r['kernel']}: {r['kind']}", r["value"], r["limit"])
        for r in json.loads(run.stdout)["rows"]
        if r["limit"] is not None
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--build", type=Path, help="folder for kernel_bench")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    missing = [name for name in NEEDED if not (arguments.models / name).is_file()]
    if missing:
        print(
            f"error: --models: {arguments.models} has no {', '.join(missing)}: "
            f"python benchmarks/birealnet18.py --out {arguments.models}",
            file=sys.stderr,
        )
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ensure_resnet20(arguments.models)
        rows, times = networks(arguments.models, arguments.rounds)
        build = arguments.build or folder / "build"
        rows += kernel_shares(build, arguments.rounds)
        rows += thread_ratios(folder, arguments.rounds, build / "bench" / "kernel_bench")
        rows += neon()
        rows.append(library_size(folder))
        rows.append(load_and_prepare(arguments.models, arguments.rounds))
    for title, medians in times.items():
        print(f"{title}, median ms, 1 thread: ", end="")
        print(", ".join(f"{name} {value:.2f}" for name, value in medians.items()))
    print(f"{'what':62s} {'measured':>10s} {'bound':>9s}")
    for row in rows:
        value = "skipped" if row.value is None else f"{row.value:.3f}{row.unit}"
        sign = ">=" if row.at_least else "<="
        bound = "" if row.bound is None else f"{sign} {row.bound:g}"
        verdict = {True: "ok", False: "MISSED", None: ""}[row.passed]
        print(f"{row.what:62s} {value:>10s} {bound:>9s} {verdict:6s} {row.note}")
    if arguments.json is not None:
        result = {
            "host": platform.processor() or platform.machine(),
            "medians_ms": times,
            "rows": [asdict(row) | {"passed": row.passed} for row in rows],
        }
        arguments.json.write_text(json.dumps(result, indent=1))
    return int(arguments.check and any(row.passed is False for row in rows))


def ensure_resnet20(models: Path) -> None:
    """The shipped network and its twins, made where they are missing."""
    for name, command in (
        ("1bit", ["convert", "resnet20-w1a1-cifar10"]),
        ("int8", ["baseline", "resnet20-float32-cifar10", "--format", "int8"]),
        ("float32", ["baseline", "resnet20-float32-cifar10", "--format", "float32"]),
    ):
        path = models / f"resnet20-{name}.tflite"
        if not path.exists():
            subprocess.run(["irnet", *command, "-o", str(path)], check=True)


if __name__ == "__main__":
    sys.exit(main())
