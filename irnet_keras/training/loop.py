"""Train a recipe with ``model.fit``; resume bit for bit; score the result."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.files import atomic_write
from irnet_keras.layers.narrow_conv import cpu_multiplies_bfloat16
from irnet_keras.models.weights import Arrays, load_weights
from irnet_keras.training import run_folder
from irnet_keras.training.averaging import AVERAGE, check_epochs, drop_epochs, save_average
from irnet_keras.training.callbacks import Progress
from irnet_keras.training.checkpoint import (
    BEST,
    LAST,
    Position,
    has_checkpoint,
    load_checkpoint_into,
    set_damaged_aside,
    state_arrays,
    take_over,
)
from irnet_keras.training.checkpointing import RunCheckpoint
from irnet_keras.training.compiling import be_deterministic, compile_model
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.diagnostics import run_diagnostics
from irnet_keras.training.full_disk import naming_full_disks
from irnet_keras.training.inspection import truncate_diagnostics
from irnet_keras.training.interruption import Interrupted, Interruption
from irnet_keras.training.scheduling import schedule_callbacks
from irnet_keras.training.stages import Stage, stage_at, stages_from
from irnet_keras.training.strategies import ONE_DEVICE, Devices
from irnet_keras.training.task import Feed, Task, TaskData, get_task

Log = Callable[[str], None]
_CONNECTION_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
# Settings of a run that do not change what it computes, and its length.
_MAY_CHANGE = ("epochs", "warmup_epochs", "checkpoint_steps")


def train(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    data_dir: str | None = None,
    data: TaskData | None = None,
    score_test: bool = True,
    devices: Devices = ONE_DEVICE,
    log: Log = lambda line: None,
) -> dict[str, Any]:
    """Train a recipe in a run folder.

    Args:
        config: the recipe, overrides applied.
        folder: existing run folder, the same for all workers; without ``resume`` it must hold no
            checkpoint.
        resume: continue from the folder's checkpoint, or from the beginning if the run ended
            before its first one. ``config`` must equal the run's, except for ``epochs`` and
            ``checkpoint_steps``.
        data_dir: TFDS data folder.
        data: training and validation data instead of the data set of the recipe.
        score_test: score last and best weights on the test split at the end.
        devices: what to train on; only its worker 0 writes files.
        log: receives warnings and progress lines.

    Returns:
        The summary, also written to ``summary.json``.

    Raises:
        UsageError: checkpoint present without ``resume``, damaged, or of another
            configuration; data missing or fewer than a batch; workers that differ; disk full.
        CheckFailed: the loss became NaN or Inf, or another worker is gone.
        Interrupted: Ctrl-C or SIGTERM, after a checkpoint.
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
    devices.check_batch(config.batch_size)
    be_deterministic()
    if config.compute == "bfloat16" and not cpu_multiplies_bfloat16():
        log(
            "warning: this CPU has no instructions for bfloat16; if no accelerator does the work, "
            "--set compute=float32 is faster"
        )
    with _naming_lost_workers(devices, folder), naming_full_disks(folder):

        def build(position: Position) -> Any:
            with devices.scope():
                return compile_model(stage_at(config, position.epoch, position.step).config)

        position, model, metrics = _restore(folder, build, config, steps, resume, log)
        devices.check_same(settings=config, images=data.num_images, position=position)
        if devices.writes:
            _prepare_folder(folder, config, position)
        begun = time.monotonic()
        for stage in stages_from(config, position.epoch, position.step):
            if stage.first and (position.epoch, position.step) == (stage.first, 0):
                model, position = _next_stage(model, stage, position, devices, log)
            position = _fit(
                model, task, data, config, stage, folder, steps, position, metrics, devices, log
            )
    summary: dict[str, Any] = {
        "recipe": config.name,
        "epochs": position.epoch,
        "best_epoch": position.best_epoch,
        f"best_validation_{task.monitor.removeprefix('val_')}": position.best,
        "seconds_this_process": round(time.monotonic() - begun, 1),
    }
    if (config.ema_decay or config.average_last) is not None and devices.writes:
        summary.update(save_average(config, folder, task, data, steps))
    if score_test and devices.writes:
        model = compile_model(config) if devices.strategy else model  # of this process alone
        for key, name in (("last", LAST), ("best", BEST), ("average", AVERAGE)):
            if (folder / name).exists():
                load_weights(model, folder / name)
                score = task.score(model, data_dir)
                summary["num_test_images"] = score.num_images
                summary.update({f"test_{k}_{key}": v for k, v in score.values.items()})
    if devices.writes:
        atomic_write(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    devices.agreement()(True)  # workers leave together: one that goes early looks like a dead one
    return summary


def _restore(
    folder: Path,
    build: Callable[[Position], Any],
    config: TrainConfig,
    steps: int,
    resume: bool,
    log: Log,
) -> tuple[Position, Any, Arrays]:
    """Where the run continues; reads only."""
    if not has_checkpoint(folder):
        if resume:
            log(f"{folder} holds no checkpoint yet: starting from the beginning")
        return Position(), build(Position()), {}
    position, model, metrics = load_checkpoint_into(folder, build, log)
    if position.epoch > config.epochs:
        raise UsageError(
            f"epochs must be at least {position.epoch}, the epochs already trained in "
            f"{folder}; got {config.epochs}"
        )
    if position.step >= steps:
        raise UsageError(
            f"{folder} was trained on more images: it is at step {position.step} of an epoch, "
            f"which has {steps} steps of batch_size {config.batch_size} now"
        )
    check_epochs(folder, config, position.epoch)
    inside = f" and {position.step} of {steps} steps" if position.step else ""
    log(f"resuming after epoch {position.epoch}{inside} of {config.epochs}")
    return position, model, metrics


def _next_stage(
    model: Any, stage: Stage, position: Position, devices: Devices, log: Log
) -> tuple[Any, Position]:
    """The network of a later stage, which continues with the weights of the one before.

    The best epoch so far was one of another network, and does not count.
    """
    arrays = state_arrays(model)
    with devices.scope():
        model = compile_model(stage.config)
    take_over(model, arrays)
    log(f"from epoch {stage.first + 1} on with binary kernels")
    return model, replace(position, best=None, best_epoch=None)


def _prepare_folder(folder: Path, config: TrainConfig, position: Position) -> None:
    set_damaged_aside(folder)
    run_folder.remove_temporary_files(folder)
    drop_epochs(folder, config)
    run_folder.truncate_metrics(folder, position.epoch)
    truncate_diagnostics(folder, position.epoch)
    run_folder.write_config(folder, config)
    run_folder.append_environment(folder)


def _fit(
    model: Any,
    task: Task,
    data: TaskData,
    config: TrainConfig,
    stage: Stage,
    folder: Path,
    steps: int,
    position: Position,
    metrics: Arrays,
    devices: Devices,
    log: Log,
) -> Position:
    """Train from ``position`` to the last epoch of a stage."""
    stored = config if stage.is_last else stage.config
    interruption = Interruption(devices.agreement())
    checkpoint = RunCheckpoint(
        folder,
        {"recipe": config.name, "config": stored.model_dump_json()},
        task.monitor,
        steps,
        position=position,
        every=config.checkpoint_steps,
        interruption=interruption,
        metrics=metrics,
        kept=config.averaged_epochs,
        writes=devices.writes,
    )
    progress = Progress(config.epochs, steps, config.batch_size)
    callbacks = [
        *schedule_callbacks(stage.config, model, steps, log, stage.first),
        run_diagnostics(folder, data, config, position, devices),
    ]
    if devices.writes:
        callbacks += [
            tf.keras.callbacks.TensorBoard(
                str(folder / "tensorboard"), write_graph=False, profile_batch=0
            ),
            tf.keras.callbacks.CSVLogger(str(folder / run_folder.METRICS), append=True),
        ]
    callbacks += [checkpoint, *([progress] if devices.writes else [])]
    # (the progress line stands last: an epoch's line says that it is on disk)

    def fit(end: int, own_steps: int) -> None:
        at = checkpoint.position
        model.fit(
            devices.training(data, config, at.epoch, at.step),
            initial_epoch=at.epoch,
            epochs=end,
            steps_per_epoch=own_steps,
            **devices.validation(data),
            callbacks=callbacks,
            verbose=0,
        )

    try:
        with interruption.watching(log):
            if position.step:  # Keras has no epoch that starts in the middle: one call for its rest
                example = next(iter(data.training(config, Feed())))
                model.test_on_batch(*example)  # builds the metrics
                fit(position.epoch + 1, steps - position.step)
            if checkpoint.position.epoch < stage.end:
                fit(stage.end, steps)
    except Interrupted as stop:
        log(f"stopped {stop}; checkpoint written; continue with --resume --run-dir {folder}")
        raise
    finally:
        progress.close()
    return checkpoint.position


@contextlib.contextmanager
def _naming_lost_workers(devices: Devices, folder: Path) -> Iterator[None]:
    """Turn what TensorFlow says when another process has gone into one line."""
    try:
        yield
    except _CONNECTION_ERRORS as error:
        if devices.workers == 1:
            raise
        raise CheckFailed(
            f"worker {devices.worker} of {devices.workers} lost the others "
            f"({type(error).__name__}); the last checkpoint is kept: start all workers again "
            f"with --resume --run-dir {folder}"
        ) from error


def _check_same_run(stored: TrainConfig, config: TrainConfig) -> None:
    """A resumed run keeps its settings; only its length and its checkpoints may change."""
    before, after = stored.model_dump(), config.model_dump()
    changed = [k for k in before if before[k] != after[k] and k not in _MAY_CHANGE]
    if changed:
        key = changed[0]
        raise UsageError(
            f"a resumed run keeps its settings (only epochs may change): {key} is "
            f"{before[key]!r} in the run, got {after[key]!r}"
        )
