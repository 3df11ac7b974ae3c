"""Checkpoints from which a run continues bit for bit: two generations, each checksummed."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from irnet_keras.errors import UsageError
from irnet_keras.models.weights import (
    Arrays,
    assign_arrays,
    check_arrays,
    load_arrays,
    save_arrays,
    variable_arrays,
)

CHECKPOINT = "checkpoint.safetensors"
PREVIOUS = "checkpoint-previous.safetensors"
DAMAGED = "checkpoint-damaged.safetensors"
LAST = "last.safetensors"
BEST = "best.safetensors"


@dataclass(frozen=True)
class Position:
    """How far a run is.

    Attributes:
        epoch: epochs completed.
        step: steps done of the next epoch.
        best: best value of the monitored metric so far, or None.
        best_epoch: its epoch, 1-based.
    """

    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int | None = None


def state_arrays(model: Any) -> Arrays:
    """Model, optimizer and the sums of the epoch's metrics.

    Under a strategy of several workers all of them must call this: some values are averages.
    """
    arrays = {f"model/{k}": a for k, a in variable_arrays(model.weights).items()}
    slots = variable_arrays(model.optimizer.variables)
    arrays.update({f"optimizer/{k}": a for k, a in slots.items()})
    arrays.update({k: v.numpy() for k, v in _metric_variables(model).items()})
    return arrays


def _metric_variables(model: Any) -> dict[str, Any]:
    return {f"metrics/{m.name}/{v.name}": v for m in model.metrics for v in m.variables}


def save_checkpoint(folder: Path, arrays: Arrays, position: Position) -> None:
    """Write :func:`state_arrays`; what was the newest checkpoint becomes the previous one."""
    save_arrays(
        folder / CHECKPOINT,
        arrays,
        {"state": json.dumps(asdict(position))},
        previous=folder / PREVIOUS,
    )


def load_checkpoint(
    folder: Path, model: Any, warn: Callable[[str], None] = lambda line: None
) -> tuple[Position, Arrays]:
    """:func:`load_checkpoint_into` a model that is the same at every position."""
    position, _, metrics = load_checkpoint_into(folder, lambda position: model, warn)
    return position, metrics


def load_checkpoint_into(
    folder: Path,
    model_at: Callable[[Position], Any],
    warn: Callable[[str], None] = lambda line: None,
) -> tuple[Position, Any, Arrays]:
    """Restore model and optimizer (its slots must be built) from the newest intact checkpoint.

    Args:
        folder: run folder; nothing in it is changed.
        model_at: gives the compiled model of the run's configuration at a position.
        warn: receives a line if the newest checkpoint is damaged and the previous one is used.

    Returns:
        the position, the model, and the sums of metrics for :func:`restore_metrics`.

    Raises:
        UsageError: no checkpoint, none intact, or one of another model.
    """
    paths = [p for p in (folder / CHECKPOINT, folder / PREVIOUS) if p.exists()]
    problems: list[UsageError] = []
    for path in paths or [folder / CHECKPOINT]:
        try:
            position, model, metrics = _restore(path, model_at)
        except UsageError as error:
            problems.append(error)
            continue
        if problems:
            warn(f"warning: {problems[0]}; continuing from the previous checkpoint, {path.name}")
        return position, model, metrics
    raise UsageError(
        f"no checkpoint is usable: {'; '.join(map(str, problems))}; "
        "to begin anew, train into another --run-dir without --resume"
    )


def _restore(path: Path, model_at: Callable[[Position], Any]) -> tuple[Position, Any, Arrays]:
    arrays, metadata = load_arrays(path)
    try:
        position = Position(**json.loads(metadata["state"]))
        if position.epoch < 0 or position.step < 0:
            raise ValueError("negative")
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} is corrupted: it holds no training state") from error
    model = model_at(position)
    parts = []
    for prefix, variables in (("model/", model.weights), ("optimizer/", model.optimizer.variables)):
        part = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
        check_arrays(variables, part, str(path))
        parts.append((variables, part))
    for variables, part in parts:
        assign_arrays(variables, part, str(path))
    return position, model, {k: a for k, a in arrays.items() if k.startswith("metrics/")}


def take_over(model: Any, arrays: Arrays) -> None:
    """Continue with another network of the same trainable variables.

    Args:
        model: compiled; what ``arrays`` lacks of its weights stays, its optimizer is replaced.
        arrays: :func:`state_arrays` of the network before.
    """
    for prefix, variables in (("model/", model.weights), ("optimizer/", model.optimizer.variables)):
        part = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
        own = {} if prefix == "optimizer/" else variable_arrays(variables)
        assign_arrays(variables, {**own, **part}, "the stage before")


def restore_metrics(model: Any, arrays: Arrays) -> None:
    """Continue the sums of an epoch's metrics; the model must have run a batch, which builds them.

    Raises:
        UsageError: the checkpoint has other metrics than the model.
    """
    variables = _metric_variables(model)
    if set(variables) != set(arrays):
        odd = sorted(set(variables) ^ set(arrays))[0]
        raise UsageError(f"the checkpoint does not fit the model's metrics: {odd}")
    for key, variable in variables.items():
        variable.assign(arrays[key])


def set_damaged_aside(folder: Path) -> None:
    """Rename a newest checkpoint that cannot be read, or it would replace the intact previous."""
    path = folder / CHECKPOINT
    if path.exists():
        try:
            load_arrays(path)
        except UsageError:
            path.replace(folder / DAMAGED)


def has_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Whether a run folder holds a completed checkpoint, readable or not."""
    return any((Path(folder) / name).exists() for name in (CHECKPOINT, PREVIOUS))
