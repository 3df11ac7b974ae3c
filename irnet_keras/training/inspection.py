"""What a run folder tells about a run, finished or not; no TensorFlow."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write
from irnet_keras.models.weights import load_arrays
from irnet_keras.training.config import TrainConfig
from irnet_keras.training.information import LayerInformation, layer_information
from irnet_keras.training.run_folder import METRICS, read_config

DIAGNOSTICS = "diagnostics.jsonl"
# In order of preference; a run that has not completed an epoch has none of them.
_WEIGHTS = ("last.safetensors", "best.safetensors")


class EpochRow(BaseModel):
    """One line of ``diagnostics.jsonl``.

    Attributes:
        epoch: 1-based.
        layers: in the network's order of names.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    epoch: int
    layers: tuple[LayerInformation, ...]


class Inspection(BaseModel):
    """A run.

    Attributes:
        run: folder as given.
        config: of the run.
        epochs_done: rows of ``metrics.csv``.
        finished: whether all epochs are done.
        metrics: column of ``metrics.csv`` to one number per epoch; None where there is none.
        history: diagnostics by epoch; empty for runs without.
        layers: the newest state: the last row of ``history``, else from the weights alone.
        source: where ``layers`` comes from.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    config: TrainConfig
    epochs_done: int
    finished: bool
    metrics: dict[str, list[float | None]]
    history: tuple[EpochRow, ...]
    layers: tuple[LayerInformation, ...]
    source: str


def inspect_run(folder: Path) -> Inspection:
    """Read a run folder.

    Raises:
        UsageError: not a run folder, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"RUN must be the folder of a run, got {str(folder)!r}")
    config = read_config(folder)
    metrics = read_metrics(folder / METRICS)
    history = read_history(folder / DIAGNOSTICS)
    layers, source = _newest(folder, history)
    done = len(next(iter(metrics.values()), []))
    return Inspection(
        run=str(folder),
        config=config,
        epochs_done=done,
        finished=done >= config.epochs,
        metrics=metrics,
        history=history,
        layers=layers,
        source=source,
    )


def _newest(
    folder: Path, history: tuple[EpochRow, ...]
) -> tuple[tuple[LayerInformation, ...], str]:
    if history:
        return history[-1].layers, f"{DIAGNOSTICS}, epoch {history[-1].epoch}"
    for name in _WEIGHTS:
        if (folder / name).exists():
            arrays, metadata = load_arrays(folder / name)
            return tuple(layer_information(arrays)), f"{name}, epoch {metadata.get('epoch', '?')}"
    return (), "nothing yet: no epoch is complete"


def read_history(path: Path) -> tuple[EpochRow, ...]:
    """The rows of ``diagnostics.jsonl``; none if there is no such file.

    Raises:
        UsageError: a line is not such a row.
    """
    rows = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        try:
            rows.append(EpochRow.model_validate(json.loads(line)))
        except (ValueError, ValidationError) as error:
            raise UsageError(f"{path}, line {number}, is not a row of diagnostics") from error
    return tuple(rows)


def truncate_diagnostics(folder: Path, epochs: int) -> None:
    """Drop rows after ``epochs``: those epochs are about to be repeated."""
    path = folder / DIAGNOSTICS
    if path.exists():
        kept = [row for row in read_history(path) if row.epoch <= epochs]
        atomic_write(path, "".join(json.dumps(row.model_dump()) + "\n" for row in kept))


def read_metrics(path: Path) -> dict[str, list[float | None]]:
    """Columns of a run's ``metrics.csv``: one number per epoch, None where there is none.

    Raises:
        UsageError: the file cannot be read; one that is missing gives no columns.
    """
    rows = list(csv.DictReader(_text(path).splitlines()))
    columns = [name for name in (rows[0] if rows else {}) if name not in (None, "epoch")]
    return {name: [_number(row.get(name)) for row in rows] for name in columns}


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):  # a run without validation has empty cells
        return None
    return value if math.isfinite(value) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error})") from error
