"""Training throughput of ResNet-20 w1a1 against its float32 twin, interleaved.

    python benchmarks/train_throughput.py [--rounds 12] [--steps 10] [--batch 128] [--json FILE]

Both networks train with `model.fit` machinery (`train_on_batch` of the compiled step, callbacks'
schedules included for the binary one) on the shipped real images, in alternating rounds of one
process. Prints images per second (median, MAD) of both and the median of the per-round ratio.
Input batches are prepared beforehand, as the prefetch thread does in a real run.
"""

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import tensorflow as tf

import irnet_keras  # noqa: F401
from irnet_keras.data.batches import training_batches
from irnet_keras.data.sample import load_sample
from irnet_keras.recipes import get_recipe
from irnet_keras.training.callbacks import EDEScheduler
from irnet_keras.training.loop import compile_model


class Subject:
    """One compiled network with the batches it trains on."""

    def __init__(self, recipe: str, batch_size: int, num_batches: int) -> None:
        config = get_recipe(recipe).with_overrides({"batch_size": batch_size})
        self.model = compile_model(config)
        images = load_sample().calibration
        stream = training_batches(images.images, images.labels, batch_size=batch_size, seed=0)
        self.batches = [next(stream) for _ in range(num_batches)]
        self.batch_size = batch_size
        self.scheduler = None
        if config.precision != "float32":
            self.scheduler = EDEScheduler(
                config.ede_t_min, config.ede_t_max, total_epochs=1, steps_per_epoch=10**6
            )
            self.scheduler.set_model(self.model)
            self.scheduler.on_train_begin()

    def images_per_second(self, steps: int) -> float:
        """Train ``steps`` batches and return the speed."""
        begun = time.perf_counter()
        for i in range(steps):
            if self.scheduler is not None:
                self.scheduler.on_train_batch_begin(i)
            self.model.train_on_batch(*self.batches[i % len(self.batches)])
        return steps * self.batch_size / (time.perf_counter() - begun)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    tf.config.experimental.enable_op_determinism()  # as `irnet train` does
    names = {"w1a1": "resnet20-w1a1-cifar10-short", "float32": "resnet20-float32-cifar10-short"}
    subjects = {k: Subject(v, arguments.batch, 4) for k, v in names.items()}
    for subject in subjects.values():
        subject.images_per_second(3)
    speeds: dict[str, list[float]] = {k: [] for k in subjects}
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
        "images_per_second": {k: statistics.median(v) for k, v in speeds.items()},
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
