"""One process of a distributed training of a tiny network; tests start it.

    python -m tests.irnet_keras.distributed_worker FOLDER STRATEGY [key=value ...] [--resume]
        [--cpus N] [--die-at STEP] [--signal NUMBER]

``TF_CONFIG`` comes from the environment. ``--die-at`` sends this process a signal (SIGKILL) after
so many steps.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import tensorflow as tf

from irnet_keras.errors import IrnetError
from irnet_keras.recipes import get_recipe
from irnet_keras.training import compiling, loop, strategies
from irnet_keras.training.config import parse_set
from tests.irnet_keras.tiny_training import build_tiny, tiny_data


class DieAt(tf.keras.callbacks.Callback):
    """Sends the process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        super().__init__()
        self._step, self._number = step, number

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if int(self.model.optimizer.iterations.numpy()) == self._step:
            os.kill(os.getpid(), self._number)


def main() -> int:
    """Train; exit status as ``irnet`` has it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("strategy")
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--die-at", type=int, default=0)
    parser.add_argument("--signal", type=int, default=signal.SIGKILL)
    given = parser.parse_args()
    if given.cpus > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        several = [tf.config.LogicalDeviceConfiguration()] * given.cpus
        tf.config.set_logical_device_configuration(cpu, several)
    schedules = loop.schedule_callbacks
    loop.schedule_callbacks = lambda *args: [*schedules(*args), DieAt(given.die_at, given.signal)]
    compiling.build_model = build_tiny
    try:
        config = get_recipe("resnet20-w1a1-cifar10-short").with_overrides(
            {"epochs": 3, "batch_size": 16, "seed": 5, **parse_set(given.settings)}
        )
        loop.train(
            config,
            given.folder,
            resume=given.resume,
            data=tiny_data(),
            score_test=False,
            devices=strategies.choose_devices(given.strategy),
            log=lambda line: print(line, file=sys.stderr),
        )
    except IrnetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
