"""What ``steps_per_execution`` could save: work around the steps of a training.

    python benchmarks/step_overhead.py [--rounds 5]

Milliseconds a step, processor time of this process, medians: the schedules of learning rate and EDE
on ResNet-20, and Keras' loop around a step that computes next to nothing, one and 16 steps per
execution.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import numpy as np
import tensorflow as tf

from irnet_keras.recipes import get_recipe
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.scheduling import schedule_callbacks

STEPS = 160


def milliseconds(work: Callable[[], Any], rounds: int) -> float:
    """Of one of the ``STEPS`` steps in ``work``."""
    work()
    samples = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        samples.append(1000 * (time.process_time() - begun) / STEPS)
    return float(np.median(samples))


def schedules() -> Callable[[], None]:
    """Sets learning rate and EDE's t as before every step."""
    config = get_recipe("resnet20-w1a1-cifar10-short").with_overrides({"batch_size": 2})
    model = compile_model(config)
    callbacks = schedule_callbacks(config, model, STEPS, lambda line: None)[:2]
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()

    def work() -> None:
        for step in range(STEPS):
            for callback in callbacks:
                callback.on_train_batch_begin(step)

    return work


def loop(steps_per_execution: int) -> Callable[[], None]:
    """Trains one number."""
    data = tf.data.Dataset.from_tensors((np.zeros((1, 1)), np.zeros(1))).repeat()
    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=steps_per_execution, jit_compile=False)
    return lambda: model.fit(data, steps_per_epoch=STEPS, verbose=0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"schedules of ResNet-20: {milliseconds(schedules(), rounds):.2f} ms a step")
    for count in (1, 16):
        value = milliseconds(loop(count), rounds)
        print(f"Keras' loop, {count} steps per execution: {value:.2f} ms a step")


if __name__ == "__main__":
    main()
