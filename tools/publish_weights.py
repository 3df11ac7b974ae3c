"""Copy a finished run's weights into the package, and its log into docs/runs.

    python tools/publish_weights.py RUN_DIR NAME [--which best|last]

NAME is the registry name; a run of another network is refused. Prints the row for
``irnet_keras/models/__init__.py``.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from irnet_keras.errors import IrnetError, UsageError
from irnet_keras.files import atomic_write, make_folder, sha256_file
from irnet_keras.models import WEIGHTS_FOLDER, ModelEntry, get_entry
from irnet_keras.models.networks import DATASETS

ENLARGING = [name for name, dataset in DATASETS.items() if dataset.super_resolution]
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


def main() -> None:
    """Copy and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("name")
    parser.add_argument("--which", choices=("best", "last"), default="last")
    arguments = parser.parse_args()
    entry = get_entry(arguments.name)
    config = json.loads((arguments.run_dir / "config.json").read_text())
    check_network(arguments.name, entry, config)
    summary = json.loads((arguments.run_dir / "summary.json").read_text())
    file = f"{arguments.name}.safetensors"
    make_folder(WEIGHTS_FOLDER)
    source = arguments.run_dir / f"{arguments.which}.safetensors"
    atomic_write(WEIGHTS_FOLDER / file, source.read_bytes())
    target = make_folder(RUNS / arguments.name)
    for name in ("config.json", "metrics.csv", "summary.json"):
        shutil.copy(arguments.run_dir / name, target / name)
    environment = json.loads((arguments.run_dir / "environment.json").read_text())
    for entry_ in environment:  # folders of the machine that trained mean nothing elsewhere
        entry_["command"] = _without_folders(entry_["command"])
        entry_.pop("platform")
    atomic_write(target / "environment.json", json.dumps(environment, indent=2) + "\n")
    if entry.dataset in ENLARGING:
        scores = {"test_psnr": "psnr", "bicubic_psnr": "bicubic_psnr"}
    else:
        scores = {"test_accuracy": "accuracy"}
    stated = ", ".join(
        f"{field}={round(summary[f'test_{metric}_{arguments.which}'], 4)}"
        for field, metric in scores.items()
    )
    print(
        f'"{arguments.name}": Weights("{file}", "{sha256_file(WEIGHTS_FOLDER / file)}", {stated}),'
    )


if __name__ == "__main__":
    try:
        main()
    except IrnetError as error:
        sys.exit(f"error: {error}")
