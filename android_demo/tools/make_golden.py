"""Make the vectors that the app's Java must reproduce.

    python android_demo/tools/make_golden.py            # writes them
    python android_demo/tools/make_golden.py --check    # compares with what is committed

Everything here is NumPy and this project's own Python; nothing is shared with the Java code.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT.parent))

from edge_bench.statistics import summarize  # noqa: E402
from irnet_keras.data.preprocessing import preprocess  # noqa: E402
from irnet_keras.data.sample import load_sample  # noqa: E402
from irnet_keras.files import atomic_write  # noqa: E402

VECTORS = ROOT / "core" / "src" / "test" / "resources" / "golden.json"
OUTPUTS = ROOT / "app" / "src" / "hostTest" / "resources" / "outputs.json"
ASSETS = ROOT / "app" / "src" / "main" / "assets"
SEED = 20260101
IMAGES = 2  # of the preprocessing vectors
LOGIT_IMAGES = 32  # whose logits are kept in every bit


def boxes(length: int, count: int) -> list[slice]:
    """``count`` neighbouring parts of a length, each at least one long."""
    starts = [i * length // count for i in range(count + 1)]
    return [slice(a, max(a + 1, b)) for a, b in itertools.pairwise(starts)]


def box_means(plane: np.ndarray, count: int) -> np.ndarray:
    """Integer means of count x count boxes of a square plane, halves upwards."""
    parts = boxes(len(plane), count)
    return np.array(
        [
            [(int(b.sum()) + b.size // 2) // b.size for b in (plane[r, c] for c in parts)]
            for r in parts
        ]
    )


def camera_rgb(y: np.ndarray, u: np.ndarray, v: np.ndarray, size: int, turns: int) -> np.ndarray:
    """What the network sees of a frame; ``turns`` of 90 degrees clockwise make it upright."""
    side = min(y.shape) & ~1
    left, top = ((length - side) // 2 & ~1 for length in (y.shape[1], y.shape[0]))
    luma = box_means(y[top : top + side, left : left + side].astype(int), size)
    half = slice(top // 2, (top + side) // 2), slice(left // 2, (left + side) // 2)
    blue, red = (box_means(p[half].astype(int), size) - 128 for p in (u, v))
    rgb = np.stack(
        [
            luma + (91881 * red + 32768 >> 16),
            luma - (22554 * blue + 46802 * red + 32768 >> 16),
            luma + (116130 * blue + 32768 >> 16),
        ],
        axis=-1,
    )
    return np.rot90(np.clip(rgb, 0, 255).astype(np.uint8), -turns)


def hexadecimal(array: np.ndarray) -> str:
    return np.ascontiguousarray(array).tobytes().hex()


def frame_vectors(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for width, height, size, turns, stride in [
        (64, 48, 32, 0, 1),
        (64, 48, 20, 1, 2),
        (50, 70, 7, 2, 2),
        (34, 34, 16, 3, 1),
        (98, 66, 5, 1, 1),
    ]:
        y = rng.integers(0, 256, (height, width), np.uint8)
        u, v = (rng.integers(0, 256, (height // 2, width // 2), np.uint8) for _ in "uv")
        rows.append(
            {
                "width": width,
                "height": height,
                "size": size,
                "degrees": 90 * turns,
                "pixel_stride": stride,
                "y": hexadecimal(y),
                "u": hexadecimal(u),
                "v": hexadecimal(v),
                "rgb": hexadecimal(camera_rgb(y, u, v, size, turns)),
            }
        )
    return rows


def picture_vectors(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for width, height, size in [(32, 32, 32), (45, 31, 8), (20, 50, 32), (7, 9, 32)]:
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        side = min(width, height)
        top, left = (height - side) // 2, (width - side) // 2
        square = pixels[top : top + side, left : left + side].astype(int)
        rgb = np.stack([box_means(square[..., c], size) for c in range(3)], axis=-1)
        rows.append(
            {
                "width": width,
                "height": height,
                "size": size,
                "pixels": hexadecimal(pixels),
                "rgb": hexadecimal(rgb.astype(np.uint8)),
            }
        )
    return rows


def statistics_vectors(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for count in (1, 2, 5, 60, 101):
        samples = rng.lognormal(0, 0.4, count).round(6)
        summary = summarize(samples.tolist())
        rows.append(
            {
                "samples": samples.tolist(),
                "median": summary.median,
                "mad": summary.mad,
                "p90": summary.p90,
                "minimum": summary.minimum,
            }
        )
    return rows


def top_vectors(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for logits in [*rng.normal(0, 3, (6, 10)), np.zeros(10), np.array([1.0, 5, 5, -1000, 1000])]:
        values = logits.astype(np.float32)
        shifted = np.exp(values.astype(np.float64) - values.max())
        order = np.argsort(-values, kind="stable")[:3]
        rows.append(
            {
                "logits": [float(v) for v in values],
                "classes": [int(i) for i in order],
                "confidences": [float(v) for v in (shifted / shifted.sum())[order]],
            }
        )
    return rows


def vectors() -> dict[str, Any]:
    """Everything that needs no interpreter."""
    rng = np.random.default_rng(SEED)
    images = load_sample().test.images[:IMAGES]
    every_byte = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    return {
        "preprocessing": [
            {"rgb": hexadecimal(part), "input": hexadecimal(preprocess(part).astype("<f4"))}
            for part in (images, every_byte)
        ],
        "frames": frame_vectors(rng),
        "pictures": picture_vectors(rng),
        "statistics": statistics_vectors(rng),
        "top": top_vectors(rng),
    }


def outputs() -> dict[str, Any]:
    """What LiteRT with ``lce_delegate`` says of the shipped sample, for every file of the app.

    Returns:
        For each model ``sha256`` of the file, ``top1`` of all images as ``irnet eval`` runs it,
        and ``plain_top1`` and ``plain_logits`` (of the first ones) without XNNPACK, whose
        float operators change with every version.
    """
    images = preprocess(load_sample().test.images)
    result = {}
    for row in json.loads((ASSETS / "models.json").read_text())["models"]:
        usual, plain = (logits(row, images, xnnpack=used) for used in (True, False))
        result[row["name"]] = {
            "sha256": row["sha256"],
            "top1": digits(usual),
            "plain_top1": digits(plain),
            "plain_logits": hexadecimal(plain[:LOGIT_IMAGES].astype("<f4")),
        }
    return result


def digits(values: np.ndarray) -> str:
    return "".join(str(i) for i in np.argmax(values, axis=1))


def logits(row: dict[str, Any], images: np.ndarray, *, xnnpack: bool) -> np.ndarray:
    import lce_delegate
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        str(ASSETS / row["file"]),
        num_threads=1,
        experimental_op_resolver_type=resolver,
        experimental_delegates=[lce_delegate.load()] if row["build"] == "1-bit" else None,
    )
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(given["index"])[0])
    return np.array(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    arguments = parser.parse_args()
    status = 0
    for path, made in ((VECTORS, vectors()), (OUTPUTS, outputs())):
        text = json.dumps(made, indent=1) + "\n"
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, text)
        elif path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(ROOT)} is out of date: run {Path(__file__).name}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
