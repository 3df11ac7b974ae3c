"""``irnet quickstart --train-seconds``: both networks from scratch in a given time."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from irnet_keras.data.cifar10 import LabelledImages, load_train_validation
from irnet_keras.data.prepare import prepare
from irnet_keras.data.sources import default_data_dir
from irnet_keras.errors import UsageError
from irnet_keras.files import make_folder
from irnet_keras.models.weights import load_weights
from irnet_keras.recipes import get_recipe
from irnet_keras.training.checkpoint import LAST
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.loop import train
from irnet_keras.training.tasks.classification import ClassificationData

RECIPES = {
    "resnet20-float32-cifar10": "resnet20-float32-cifar10-short",
    "resnet20-w1a1-cifar10": "resnet20-w1a1-cifar10-short",
}
MIN_SECONDS, MAX_SECONDS = 10, 1_000_000
_TIMED_STEPS = 8
_SHARE = 0.85  # of the time goes into steps; the rest is start-up, validation, saving


def train_networks(
    out: Path, seconds: float, data_dir: Path | None, log: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """Train the float twin and the 1-bit network for about ``seconds`` in all.

    The recipes' schedules are fitted to the number of steps this machine manages.

    Returns:
        models by registry name, and a sentence saying how they were trained.

    Raises:
        UsageError: too little time, or CIFAR-10 can be neither found nor fetched.
    """
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise UsageError(
            f"--train-seconds must be at least {MIN_SECONDS} and at most {MAX_SECONDS}, "
            f"got {seconds:g}"
        )
    folder = data_dir or default_data_dir()
    prepare("cifar10", "auto", folder, log)
    training, validation = load_train_validation(1000, folder)
    models = {}
    for name, recipe in RECIPES.items():
        config = _fit_to(seconds / len(RECIPES), get_recipe(recipe), training)
        steps = config.epochs * ((config.train_images or len(training)) // config.batch_size)
        log(f"training {name}: {steps} steps of {config.batch_size} images ...")
        run = _new_folder(out / "runs", name)
        part = training[: config.train_images] if config.train_images else training
        train(config, run, data=ClassificationData(part, validation), score_test=False, log=log)
        models[name] = compile_model(config)
        load_weights(models[name], run / LAST)
    return models, f"trained from scratch for about {seconds:g} s by this command"


def _new_folder(parent: Path, name: str) -> Path:
    number = 1
    while (parent / f"{name}-{number}").exists():
        number += 1
    return make_folder(parent / f"{name}-{number}")


def _fit_to(seconds: float, config: TrainConfig, data: LabelledImages) -> TrainConfig:
    """The recipe with epochs and images such that it takes ``seconds`` here."""
    model = compile_model(config)
    batches = iter(ClassificationData(data, data[:0]).training(config))
    model.train_on_batch(*next(batches))
    begun = time.monotonic()
    for _ in range(_TIMED_STEPS):
        model.train_on_batch(*next(batches))
    per_step = (time.monotonic() - begun) / _TIMED_STEPS
    steps = max(1, int(_SHARE * seconds / per_step))
    per_epoch = len(data) // config.batch_size
    epochs = max(1, round(steps / per_epoch))
    values: dict[str, object] = {"epochs": epochs, "warmup_epochs": 0.1, "validation_images": 1000}
    if steps < per_epoch:
        values["train_images"] = steps * config.batch_size
    return config.with_overrides(values)
