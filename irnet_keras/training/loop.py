"""Train a recipe with ``model.fit``; resume bit for bit; score the result."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from irnet_keras.data.batches import training_batches
from irnet_keras.data.cifar10 import LabelledImages, load_cifar10, load_train_validation
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write
from irnet_keras.models import build_model
from irnet_keras.models.weights import load_weights
from irnet_keras.schedules import warmup_cosine
from irnet_keras.training import run_folder
from irnet_keras.training.callbacks import (
    EDEScheduler,
    Progress,
    ReportDeadFilters,
    StopOnNaN,
    find_quantizers,
)
from irnet_keras.training.checkpoint import (
    BEST,
    LAST,
    RunCheckpoint,
    has_checkpoint,
    load_checkpoint,
)
from irnet_keras.training.config import TrainConfig

Log = Callable[[str], None]
EVAL_BATCH = 500


class WarmupCosine(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Set the optimizer's learning rate before every step from its own step counter."""

    def __init__(self, config: TrainConfig, steps_per_epoch: int) -> None:
        super().__init__()
        self._total = config.epochs * steps_per_epoch
        self._warmup = min(round(config.warmup_epochs * steps_per_epoch), self._total - 1)
        self._peak = config.learning_rate

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = int(self.model.optimizer.iterations)
        rate = warmup_cosine(min(step, self._total), self._total, self._peak, self._warmup)
        self.model.optimizer.learning_rate.assign(rate)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate.numpy())


def compile_model(config: TrainConfig) -> tf.keras.Model:
    """Build and compile the network of a recipe; weights depend only on ``config.seed``."""
    tf.keras.utils.set_random_seed(config.seed)
    model = build_model(
        config.network,
        dataset=config.dataset,
        precision=config.precision,
        structure=config.structure,
        pad_values=config.pad_values,
        weight_decay=config.weight_decay,
        residual_gamma=config.residual_gamma,
        compute=config.compute,
        t=config.ede_t_min,
    )
    optimizers = tf.keras.optimizers
    if config.optimizer == "sgd":
        optimizer = optimizers.SGD(
            config.learning_rate, momentum=config.momentum, nesterov=config.nesterov
        )
    else:
        optimizer = optimizers.Adam(config.learning_rate)
    optimizer.jit_compile = False  # XLA on CPU halves the speed of these networks
    model.compile(
        optimizer=optimizer,
        loss=_loss(config.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _loss(smoothing: float) -> Any:
    if smoothing == 0:
        return tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def smoothed(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        one_hot = tf.one_hot(tf.reshape(tf.cast(labels, tf.int32), [-1]), logits.shape[-1])
        return tf.keras.losses.categorical_crossentropy(
            one_hot, logits, from_logits=True, label_smoothing=smoothing
        )

    return smoothed


def batches_dataset(
    data: LabelledImages, config: TrainConfig, first_epoch: int = 0
) -> tf.data.Dataset:
    """Endless dataset of :func:`irnet_keras.data.batches.training_batches`."""
    shape = (config.batch_size, *data.images.shape[1:])
    return tf.data.Dataset.from_generator(
        lambda: training_batches(
            data.images,
            data.labels,
            batch_size=config.batch_size,
            seed=config.seed,
            first_epoch=first_epoch,
        ),
        output_signature=(
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec((config.batch_size,), tf.int64),
        ),
    ).prefetch(8)


def eval_dataset(data: LabelledImages) -> tf.data.Dataset:
    """All images once, in order, preprocessed; the last batch may be smaller."""

    def batches() -> Any:
        for i in range(0, len(data), EVAL_BATCH):
            part = data[i : i + EVAL_BATCH]
            yield preprocess(part.images), part.labels

    count = -(-len(data) // EVAL_BATCH)
    dataset = tf.data.Dataset.from_generator(
        batches,
        output_signature=(
            tf.TensorSpec((None, *data.images.shape[1:]), tf.float32),
            tf.TensorSpec((None,), tf.int64),
        ),
    )
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def keras_accuracy(model: tf.keras.Model, data: LabelledImages) -> float:
    """Top-1 accuracy (0..1) of a model over all images."""
    step = tf.function(lambda x: tf.argmax(model(x, training=False), -1))
    correct = sum(int(np.sum(step(x).numpy() == y.numpy())) for x, y in eval_dataset(data))
    return correct / len(data)


def schedule_callbacks(
    config: TrainConfig, model: tf.keras.Model, steps: int, log: Log
) -> list[tf.keras.callbacks.Callback]:
    """Learning rate, EDE, NaN stop and dead filters: what acts on or watches the training."""
    ede = EDEScheduler(
        config.ede_t_min, config.ede_t_max, config.ede_update, config.epochs, steps_per_epoch=steps
    )
    return [
        WarmupCosine(config, steps),
        *([ede] if find_quantizers(model) else []),
        StopOnNaN(),
        ReportDeadFilters(log),
    ]


def load_training_data(
    config: TrainConfig, data_dir: str | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """Training and validation images of a recipe."""
    return load_train_validation(config.validation_images, data_dir, config.train_images)


def train(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    data_dir: str | None = None,
    data: tuple[LabelledImages, LabelledImages] | None = None,
    score_test: bool = True,
    log: Log = lambda line: None,
) -> dict[str, Any]:
    """Train a recipe in a run folder.

    Args:
        config: the recipe, overrides applied.
        folder: existing run folder; without ``resume`` it must hold no checkpoint.
        resume: continue from the folder's checkpoint, or from the beginning if the run ended
            before its first one. ``config`` must equal the run's, except for ``epochs``.
        data_dir: TFDS data folder.
        data: (train, validation) images instead of the data set of the recipe.
        score_test: score last and best weights on the test split at the end.
        log: receives warnings and progress lines.

    Returns:
        The summary, also written to ``summary.json``.

    Raises:
        UsageError: checkpoint present without ``resume``, damaged, or of another
            configuration; data missing or fewer than a batch.
        CheckFailed: the loss became NaN or Inf.
    """
    if has_checkpoint(folder) and not resume:
        raise UsageError(f"{folder} already holds a checkpoint; pass --resume or another --run-dir")
    if resume and (folder / run_folder.CONFIG).exists():
        _check_same_run(run_folder.read_config(folder), config)
    training, validation = data or load_training_data(config, data_dir)
    steps = len(training) // config.batch_size
    if steps < 1:
        raise UsageError(
            f"batch_size must be at most the {len(training)} training images, "
            f"got {config.batch_size}"
        )
    with contextlib.suppress(RuntimeError):  # already on, or set for this process
        tf.config.experimental.enable_op_determinism()
    model = compile_model(config)
    state: dict[str, Any] = {"epoch": 0, "best": None, "best_epoch": None}
    if has_checkpoint(folder):
        state = load_checkpoint(folder, model)
        if state["epoch"] > config.epochs:
            raise UsageError(
                f"epochs must be at least {state['epoch']}, the epochs already trained in "
                f"{folder}; got {config.epochs}"
            )
        log(f"resuming after epoch {state['epoch']} of {config.epochs}")
    elif resume:
        log(f"{folder} holds no checkpoint yet: starting from the beginning")
    run_folder.remove_temporary_files(folder)
    run_folder.truncate_metrics(folder, state["epoch"])
    run_folder.write_config(folder, config)
    run_folder.append_environment(folder)

    progress = Progress(config.epochs, steps, config.batch_size)
    metadata = {"recipe": config.name, "config": config.model_dump_json()}
    checkpoint = RunCheckpoint(folder, metadata, **state)
    begun = time.monotonic()
    if state["epoch"] < config.epochs:
        try:
            model.fit(
                batches_dataset(training, config, state["epoch"]),
                initial_epoch=state["epoch"],
                epochs=config.epochs,
                steps_per_epoch=steps,
                validation_data=eval_dataset(validation) if len(validation) else None,
                callbacks=[
                    *schedule_callbacks(config, model, steps, log),
                    tf.keras.callbacks.TensorBoard(
                        str(folder / "tensorboard"), write_graph=False, profile_batch=0
                    ),
                    tf.keras.callbacks.CSVLogger(str(folder / run_folder.METRICS), append=True),
                    checkpoint,
                    progress,  # last: an epoch's line says that it is on disk
                ],
                verbose=0,
            )
        finally:
            progress.close()
    summary: dict[str, Any] = {
        "recipe": config.name,
        "epochs": checkpoint.epoch,
        "best_epoch": checkpoint.best_epoch,
        "best_validation_accuracy": checkpoint.best,
        "seconds_this_process": round(time.monotonic() - begun, 1),
    }
    if score_test:
        test = load_cifar10("test", data_dir)
        summary["num_test_images"] = len(test)
        for key, name in (("last", LAST), ("best", BEST)):
            if (folder / name).exists():
                load_weights(model, folder / name)
                summary[f"test_accuracy_{key}"] = keras_accuracy(model, test)
    atomic_write(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def _check_same_run(stored: TrainConfig, config: TrainConfig) -> None:
    """A resumed run keeps its settings; only its length may change."""
    before, after = stored.model_dump(), config.model_dump()
    changed = [k for k in before if before[k] != after[k] and k not in ("epochs", "warmup_epochs")]
    if changed:
        key = changed[0]
        raise UsageError(
            f"a resumed run keeps its settings (only epochs may change): {key} is "
            f"{before[key]!r} in the run, got {after[key]!r}"
        )
