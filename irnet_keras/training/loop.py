"""Train a recipe with ``model.fit``; resume bit for bit; score the result."""

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write
from irnet_keras.layers.narrow_conv import cpu_multiplies_bfloat16
from irnet_keras.models.weights import load_weights
from irnet_keras.training import run_folder
from irnet_keras.training.callbacks import Progress
from irnet_keras.training.checkpoint import (
    BEST,
    LAST,
    RunCheckpoint,
    has_checkpoint,
    load_checkpoint,
)
from irnet_keras.training.compiling import compile_model
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.scheduling import schedule_callbacks
from irnet_keras.training.task import Feed, TaskData, get_task

Log = Callable[[str], None]


def train(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    data_dir: str | None = None,
    data: TaskData | None = None,
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
        data: training and validation data instead of the data set of the recipe.
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
    task = get_task(config)
    data = data or task.load(config, data_dir)
    steps = data.num_images // config.batch_size
    if steps < 1:
        raise UsageError(
            f"batch_size must be at most the {data.num_images} training images, "
            f"got {config.batch_size}"
        )
    with contextlib.suppress(RuntimeError):  # already on, or set for this process
        tf.config.experimental.enable_op_determinism()
    if config.compute == "bfloat16" and not cpu_multiplies_bfloat16():
        log(
            "warning: this CPU has no instructions for bfloat16; if no accelerator does the work, "
            "--set compute=float32 is faster"
        )
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
    checkpoint = RunCheckpoint(folder, metadata, task.monitor, **state)
    begun = time.monotonic()
    if state["epoch"] < config.epochs:
        try:
            model.fit(
                data.training(config, Feed(epoch=state["epoch"])),
                initial_epoch=state["epoch"],
                epochs=config.epochs,
                steps_per_epoch=steps,
                validation_data=data.validation(),
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
        f"best_validation_{task.monitor.removeprefix('val_')}": checkpoint.best,
        "seconds_this_process": round(time.monotonic() - begun, 1),
    }
    if score_test:
        for key, name in (("last", LAST), ("best", BEST)):
            if (folder / name).exists():
                load_weights(model, folder / name)
                score = task.score(model, data_dir)
                summary["num_test_images"] = score.num_images
                summary.update({f"test_{k}_{key}": v for k, v in score.values.items()})
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
