"""Training throughput of ResNet-20 w1a1 against its float32 twin, interleaved.

    python benchmarks/train_throughput.py [--rounds 8] [--steps 20] [--batch 128] [--json FILE]

Both networks train through ``model.fit`` with the input pipeline and the callbacks of
``irnet train`` (augmentation, learning rate, EDE, NaN stop), on the shipped real images repeated
to a data set of usual length, in alternating rounds of one process. A round is timed from its
first to its last step. Prints images per second (median, MAD) of both and the median of the
per-round ratio.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import numpy as np
import tensorflow as tf

from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.data.sample import load_sample
from irnet_keras.recipes import get_recipe
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.scheduling import schedule_callbacks
from irnet_keras.training.tasks.classification import ClassificationData

RECIPES = {"w1a1": "resnet20-w1a1-cifar10-short", "float32": "resnet20-float32-cifar10-short"}
EPOCH_IMAGES = 45_000


class Timer(tf.keras.callbacks.Callback):
    """Seconds from the end of the first step to the end of the last one."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.perf_counter()
        if batch == 0:
            self.begun = now
        self.seconds = now - self.begun


class Subject:
    """One compiled network with its data and callbacks."""

    def __init__(self, recipe: str, batch_size: int) -> None:
        config = get_recipe(recipe).with_overrides({"batch_size": batch_size})
        images = load_sample().calibration
        repeats = -(-EPOCH_IMAGES // len(images))
        data = LabelledImages(
            np.tile(images.images, (repeats, 1, 1, 1)), np.tile(images.labels, repeats)
        )
        self.model = compile_model(config)
        self.data = ClassificationData(data, data[:0]).training(config)
        self.batch_size = batch_size
        self.callbacks = schedule_callbacks(config, self.model, len(data) // batch_size, print)

    def images_per_second(self, steps: int) -> float:
        """Train and return the speed of all steps after the first."""
        timer = Timer()
        self.model.fit(
            self.data, steps_per_epoch=steps + 1, callbacks=[*self.callbacks, timer], verbose=0
        )
        return steps * self.batch_size / timer.seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    tf.config.experimental.enable_op_determinism()  # as `irnet train` does
    subjects = {key: Subject(recipe, arguments.batch) for key, recipe in RECIPES.items()}
    for subject in subjects.values():
        subject.images_per_second(3)
    speeds: dict[str, list[float]] = {key: [] for key in subjects}
    for i in range(arguments.rounds):
        order = list(subjects) if i % 2 == 0 else list(reversed(subjects))
        for key in order:
            speeds[key].append(subjects[key].images_per_second(arguments.steps))
    ratios = [a / b for a, b in zip(speeds["w1a1"], speeds["float32"], strict=True)]
    result = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "tensorflow": tf.__version__,
        "batch": arguments.batch,
        "load_average": os.getloadavg()[0],
        "images_per_second": {key: statistics.median(v) for key, v in speeds.items()},
        "ratio_median": statistics.median(ratios),
        "samples": speeds,
    }
    for key, values in speeds.items():
        median = statistics.median(values)
        mad = statistics.median(abs(v - median) for v in values)
        print(f"{key:8} {median:7.1f} images/s (MAD {mad:.1f}, {len(values)} rounds)")
    print(f"ratio    {result['ratio_median']:7.3f} (median of the rounds' w1a1 / float32)")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
