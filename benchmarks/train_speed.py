"""Training speed and memory of ResNet-20, interleaved against the old path and the float twin.

    python benchmarks/train_speed.py [--rounds 8] [--steps 10] [--batch 128] [--network resnet20]
                                     [--threads N] [--scaling] [--json FILE]

Subjects, each a process of its own that trains through ``model.fit`` with the input pipeline and
the callbacks of ``irnet train``, on the shipped real images repeated to a data set of usual length:

- ``old``: w1a1 as it was first released: TensorFlow's own gradients of clipping and slicing;
- ``exact``: w1a1 with the gradients of ``irnet_keras.layers``: the same numbers, cheaper;
- ``bfloat16``: w1a1 with ``compute=bfloat16``;
- ``float32``: the float twin of ``exact``.

They take turns, a round each, while the others wait; a round is timed from the end of its first to
the end of its last step. Printed: images per second (median, MAD), peak memory of the process, and
the ratio of medians to ``old`` with its bootstrap interval of 95 %.

``--scaling`` shows that cost grows linearly: seconds per image against the batch size, and
seconds per epoch against the number of images.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_bench.statistics import median_ratio_interval, summarize
from irnet_keras.recipes import get_recipe

EPOCH_IMAGES = 45_000
SUBJECTS: dict[str, dict[str, object]] = {
    "old": {},
    "exact": {},
    "bfloat16": {"compute": "bfloat16"},
    "float32": {"precision": "float32"},
}


def use_old_layers() -> None:
    """Make the layers in training compute as they do at inference, and so TensorFlow's gradients.

    That is what they were before they had a path for training.
    """
    from irnet_keras.layers import Hardtanh, OptionAShortcut

    def without_training(call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, inputs: call(self, inputs, training=False)

    for layer in (Hardtanh, OptionAShortcut):
        layer.call = without_training(layer.call)


def child(subject: str, network: str, batch: int) -> None:
    """Train ``steps`` steps for every line "steps images" on stdin; answer one line of JSON."""
    import tensorflow as tf

    from irnet_keras.data.cifar10 import LabelledImages
    from irnet_keras.data.sample import load_sample
    from irnet_keras.training.compiling import compile_model
    from irnet_keras.training.scheduling import schedule_callbacks
    from irnet_keras.training.task import Feed
    from irnet_keras.training.tasks.classification import ClassificationData

    if subject == "old":
        use_old_layers()
    tf.config.experimental.enable_op_determinism()  # as `irnet train` does
    recipe = get_recipe("resnet20-w1a1-cifar10-short")
    structure = "plain" if network == "vgg-small" else recipe.structure
    config = recipe.with_overrides(
        {
            "network": network,
            "structure": structure,
            "batch_size": batch,
            **SUBJECTS[subject],
        }
    )
    sample = load_sample().calibration
    repeats = -(-EPOCH_IMAGES // len(sample))
    data = LabelledImages(
        np.tile(sample.images, (repeats, 1, 1, 1)), np.tile(sample.labels, repeats)
    )[:EPOCH_IMAGES]
    model = compile_model(config)
    stream = ClassificationData(data, data[:0]).training(config, Feed())
    callbacks = schedule_callbacks(config, model, len(data) // batch, lambda line: None)

    class Timer(tf.keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            now = time.perf_counter()
            if batch == 0:
                self.begun = now
            self.seconds = now - self.begun

    for line in sys.stdin:
        steps = int(line)
        timer = Timer()
        model.fit(stream, steps_per_epoch=steps + 1, callbacks=[*callbacks, timer], verbose=0)
        answer = {
            "seconds": timer.seconds,
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(answer), flush=True)


class Subject:
    """A child process with one network."""

    def __init__(self, subject: str, network: str, batch: int, threads: int | None) -> None:
        environment = dict(os.environ)
        if threads:
            for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                environment[name] = str(threads)
        self.batch = batch
        self.peak_memory_mb = 0.0
        self._process = subprocess.Popen(
            [
                sys.executable,
                __file__,
                "--child",
                subject,
                "--network",
                network,
                "--batch",
                str(batch),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )

    def seconds(self, steps: int) -> float:
        """Train ``steps`` + 1 steps; the seconds of all but the first."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the child has no pipes")
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"error: the child process ended with status {self._process.wait()}")
        answer = json.loads(line)
        self.peak_memory_mb = answer["peak_memory_mb"]
        return float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """All subjects in turns."""
    subjects = {
        name: Subject(name, arguments.network, arguments.batch, arguments.threads)
        for name in SUBJECTS
    }
    for subject in subjects.values():
        subject.seconds(3)
    speeds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(arguments.rounds):
        order = list(subjects) if number % 2 == 0 else list(reversed(subjects))
        for name in order:
            seconds = subjects[name].seconds(arguments.steps)
            speeds[name].append(arguments.steps * arguments.batch / seconds)
    result = {}
    for name, subject in subjects.items():
        summary = summarize(speeds[name])
        ratio = summary.median / summarize(speeds["old"]).median
        low, high = median_ratio_interval(speeds[name], speeds["old"], seed=0)
        result[name] = {
            "images_per_second": summary.median,
            "mad": summary.mad,
            "ratio_to_old": ratio,
            "ratio_low": low,
            "ratio_high": high,
            "peak_memory_mb": subject.peak_memory_mb,
            "samples": speeds[name],
        }
        print(
            f"{name:9} {summary.median:7.1f} images/s (MAD {summary.mad:.1f}), "
            f"{ratio:.2f} [{low:.2f}, {high:.2f}] of old, "
            f"peak memory {subject.peak_memory_mb:.0f} MB"
        )
        subject.close()
    return result


def scale(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds per image at several batch sizes, and per epoch at several numbers of images."""
    batches = (32, 64, 128, 256)
    subjects = {
        batch: Subject("bfloat16", arguments.network, batch, arguments.threads) for batch in batches
    }
    for subject in subjects.values():
        subject.seconds(3)
    times: dict[int, list[float]] = {batch: [] for batch in batches}
    epochs: dict[int, list[float]] = {1024: [], 2048: [], 4096: []}
    for _ in range(max(3, arguments.rounds // 2)):
        for batch, subject in subjects.items():
            steps = max(4, 1024 // batch)
            times[batch].append(1000 * subject.seconds(steps) / steps / batch)
        for images, seconds in epochs.items():
            seconds.append(subjects[128].seconds(images // 128))
    for subject in subjects.values():
        subject.close()
    result = {
        "ms_per_image": {batch: float(np.median(values)) for batch, values in times.items()},
        "seconds_per_images": {images: float(np.median(v)) for images, v in epochs.items()},
        "peak_memory_mb": {batch: subject.peak_memory_mb for batch, subject in subjects.items()},
    }
    for batch, value in result["ms_per_image"].items():
        memory = result["peak_memory_mb"][batch]
        print(f"batch {batch:4}: {value:.2f} ms an image, peak memory {memory:.0f} MB")
    for images, value in result["seconds_per_images"].items():
        print(f"{images:5} images: {value:.2f} s, {1000 * value / images:.2f} ms an image")
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument(
        "--network", choices=("resnet20", "vgg-small", "resnet18"), default="resnet20"
    )
    parser.add_argument("--threads", type=int, help="of every process; default: all cores")
    parser.add_argument("--scaling", action="store_true", help="measure growth instead")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=SUBJECTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.network, arguments.batch)
        return
    result = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "batch": arguments.batch,
        "network": arguments.network,
        "threads": arguments.threads,
        "load_average": os.getloadavg()[0],
        "scaling" if arguments.scaling else "subjects": (
            scale(arguments) if arguments.scaling else compare(arguments)
        ),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
