"""Copy a finished run's weights into the package, and its log into docs/runs.

    python tools/publish_weights.py RUN_DIR NAME [--which best|last|average] [--half]

NAME is the registry name; a run of another network, and one that is not finished and scored, is
refused. ``average`` is what recipes with ``ema_decay`` or ``average_last`` make at the end. Prints
the row for ``irnet_keras/models/__init__.py``.

``--half`` stores kernels as float16, for large networks. A rounded latent weight may change its
sign, so the row has no accuracy until ``irnet eval NAME`` has measured it (``model_cards.py``
refuses any other).
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from irnet_keras.errors import IrnetError, UsageError
from irnet_keras.files import atomic_write, make_folder, sha256_file
from irnet_keras.models import WEIGHTS_FOLDER, ModelEntry, get_entry
from irnet_keras.models.networks import DATASETS
from irnet_keras.models.weights import Arrays, load_arrays, save_arrays
from irnet_keras.training.run_folder import read_config

ENLARGING = [name for name, dataset in DATASETS.items() if dataset.super_resolution]
COPIED = ("config.json", "metrics.csv", "summary.json")
RUNS = Path(__file__).parent.parent / "docs" / "runs"


def _without_folders(command: list[str]) -> list[str]:
    """The command with the values of ``--data-dir`` and ``--run-dir`` made generic."""
    generic = {"--data-dir": "DATA_DIR", "--run-dir": "RUN_DIR"}
    before = ["", *command[:-1]]
    return [generic.get(option, word) for option, word in zip(before, command, strict=True)]


def check_network(name: str, entry: ModelEntry, config: dict[str, Any]) -> None:
    """Refuse a run whose network is not what ``load`` builds, even if names and shapes fit.

    Raises:
        UsageError: naming the setting.
    """
    expected: dict[str, Any] = {
        "network": entry.network,
        "precision": entry.precision,
        "structure": entry.structure,
        "pad_values": 0,
        **dict.fromkeys(("num_classes", "image_size", "stem", "downsample")),
    }
    if entry.dataset not in ENLARGING:
        expected["dataset"] = entry.dataset
    for key, value in expected.items():
        if config.get(key) != value:
            raise UsageError(f"{name} has {key} {value!r}, the run {config.get(key)!r}")


def stated_scores(run: Path, which: str, entry: ModelEntry) -> dict[str, float]:
    """Fields of the registry's row, from the run's summary, which must be about these weights.

    Raises:
        UsageError: the run has no such weights, is not finished, or was not scored on the test
            split.
    """
    weights = run / f"{which}.safetensors"
    if which == "average" and not weights.exists():
        raise UsageError(
            f"{run} has no average: it takes a recipe with ema_decay or average_last, and the end "
            "of the run"
        )
    epoch = int(load_arrays(weights)[1].get("epoch", -1))
    summary = _read(run / "summary.json")
    expected = summary.get("best_epoch" if which == "best" else "epochs")
    if epoch != expected:
        raise UsageError(
            f"{weights} is of epoch {epoch}, summary.json of {expected}: finish the run "
            "(irnet train --resume)"
        )
    enlarging = {"test_psnr": "psnr", "bicubic_psnr": "bicubic_psnr"}
    fields = enlarging if entry.dataset in ENLARGING else {"test_accuracy": "accuracy"}
    scores = {}
    for field, metric in fields.items():
        key = f"test_{metric}_{which}"
        if key not in summary:
            raise UsageError(f"{run / 'summary.json'} has no {key}: the run was not scored")
        scores[field] = round(float(summary[key]), 4)
    return scores


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error})") from error


def halved(arrays: Arrays) -> Arrays:
    """Kernels, of two axes and more, rounded to float16; the rest as it is.

    Raises:
        UsageError: a value that float16 cannot hold.
    """
    with np.errstate(over="ignore"):  # refused below
        kernels = {name: a.astype(np.float16) for name, a in arrays.items() if a.ndim > 1}
    for name, kernel in kernels.items():
        if not np.isfinite(kernel).all():
            raise UsageError(f"--half: {name} has values beyond float16's 65504")
    return {**arrays, **kernels}


def publish(run: Path, name: str, which: str, half: bool = False) -> str:
    """Check everything, then copy; returns the row for the registry.

    Args:
        run: folder of the run.
        name: of the registry.
        which: ``"best"``, ``"last"`` or ``"average"``.
        half: whether to store kernels as float16.

    Raises:
        UsageError: see :func:`check_network` and :func:`stated_scores`, or a file is missing.
    """
    entry = get_entry(name)
    check_network(name, entry, read_config(run).model_dump())
    scores = stated_scores(run, which, entry)
    for copied in COPIED:
        if not (run / copied).is_file():
            raise UsageError(f"{run} has no {copied}")
    environment = _read(run / "environment.json")
    for entry_ in environment:  # folders of the machine that trained mean nothing elsewhere
        entry_["command"] = _without_folders(entry_["command"])
        entry_.pop("platform")
    file = make_folder(WEIGHTS_FOLDER) / f"{name}.safetensors"
    if half:
        arrays, metadata = load_arrays(run / f"{which}.safetensors")
        save_arrays(file, halved(arrays), metadata)
        scores = {}
    else:
        atomic_write(file, (run / f"{which}.safetensors").read_bytes())
    target = make_folder(RUNS / name)
    for copied in COPIED:
        shutil.copy(run / copied, target / copied)
    atomic_write(target / "environment.json", json.dumps(environment, indent=2) + "\n")
    stated = ", ".join(f"{field}={value}" for field, value in scores.items()) or "..."
    return f'"{name}": Weights("{file.name}", "{sha256_file(file)}", {stated}),'


def main() -> None:
    """Copy and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("name")
    parser.add_argument("--which", choices=("best", "last", "average"), default="last")
    parser.add_argument("--half", action="store_true", help="kernels as float16")
    arguments = parser.parse_args()
    print(publish(arguments.run_dir, arguments.name, arguments.which, arguments.half))


if __name__ == "__main__":
    try:
        main()
    except IrnetError as error:
        sys.exit(f"error: {error}")
