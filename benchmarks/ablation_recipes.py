"""One training of ``benchmarks/ablation.py --study recipe``, as ``irnet train`` does it."""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
from irnet_keras.models import build_model
from irnet_keras.training import compiling
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.inspection import inspect_run
from irnet_keras.training.loop import train
from irnet_keras.training.task import TaskData


def train_recipe(
    config: TrainConfig, more: dict[str, Any], data: TaskData, split: str, data_dir: str | None
) -> float:
    """Accuracy (0..1) behind the last epoch, of the average where the recipe has one.

    Args:
        config: of the arm.
        more: settings of the network that no recipe has.
        data: training and validation images.
        split: ``"validation"`` or ``"test"``.
        data_dir: TFDS data folder, for ``"test"``.

    Raises:
        CheckFailed: the loss is not finite.
    """

    def build(*args: Any, **options: Any) -> Any:
        settings = {**(options.pop("settings", None) or {}), **more}
        return build_model(*args, **options, settings=settings)

    compiling.build_model = build  # of this process, which trains nothing else
    averaged = (config.ema_decay or config.average_last) is not None
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        summary = train(config, run, data=data, data_dir=data_dir, score_test=split == "test")
        if split == "test":
            return float(summary[f"test_accuracy_{'average' if averaged else 'last'}"])
        if averaged:
            return float(summary["average_validation_accuracy"])
        return float(inspect_run(run).metrics["val_accuracy"][-1])
