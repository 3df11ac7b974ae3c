"""Copy a finished run's weights into the package, and its log into docs/runs.

    python tools/publish_weights.py RUN_DIR NAME [--which best|last]

NAME is the registry name. Prints the row for ``irnet_keras/models/__init__.py``.
"""

import argparse
import json
import shutil
from pathlib import Path

from irnet_keras.files import atomic_write, make_folder, sha256_file
from irnet_keras.models import WEIGHTS_FOLDER, get_entry
from irnet_keras.models.networks import DATASETS

ENLARGING = [name for name, dataset in DATASETS.items() if dataset.super_resolution]
RUNS = Path(__file__).parent.parent / "docs" / "runs"


def _without_folders(command: list[str]) -> list[str]:
    """The command with the values of ``--data-dir`` and ``--run-dir`` made generic."""
    generic = {"--data-dir": "DATA_DIR", "--run-dir": "RUN_DIR"}
    before = ["", *command[:-1]]
    return [generic.get(option, word) for option, word in zip(before, command, strict=True)]


def main() -> None:
    """Copy and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("name")
    parser.add_argument("--which", choices=("best", "last"), default="last")
    arguments = parser.parse_args()
    entry = get_entry(arguments.name)
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
    main()
