"""Model files for the Android app, and the manifest that it verifies at load."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irnet_keras import models
from irnet_keras.data.cifar10 import LABELS
from irnet_keras.data.preprocessing import EVAL_PREPROCESSING, normalization, normalize
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write, make_folder
from irnet_keras.models import networks

SCHEMA = "irnet.android-assets/1"
MANIFEST = "models.json"
# precision of a model: builds made of it, as the app calls them
BUILDS = {"w1a1": ("1-bit",), "float32": ("float32", "int8")}
# data sets whose images the app brings into the right form: labels, None where a file names them
DATASETS: dict[str, tuple[str, ...] | None] = {"cifar10": LABELS, "cifar100": None}

Log = Callable[[str], None]


@dataclass(frozen=True)
class Asset:
    """One file of the app.

    Attributes:
        name: of the build, e.g. ``"resnet20-int8-cifar10"``.
        build: ``"1-bit"``, ``"float32"`` or ``"int8"``.
        entry: registry entry it is made of.
        data: content of the ``.tflite`` file.
    """

    name: str
    build: str
    entry: models.ModelEntry
    data: bytes

    @property
    def file(self) -> str:
        """Name in the app's assets."""
        return f"{self.name}.tflite"


def write_assets(
    names: Sequence[str],
    out: Path,
    *,
    labels: Sequence[str] | None = None,
    untrained: bool = False,
    log: Log = lambda line: None,
) -> dict[str, Any]:
    """Convert models and write them with their manifest; other files of the folder stay.

    Args:
        names: registry names; of float32 models also the int8 build is made.
        out: folder, created.
        labels: names of the classes, for data sets whose names the package does not know.
        untrained: random weights.
        log: receives progress lines.

    Returns:
        The manifest.

    Raises:
        UsageError: a name twice or unknown, a network the app cannot feed, or labels that do
            not go with it.
        CheckFailed: a conversion failed.
    """
    checked = {name: check_model(name, labels) for name in names}
    if len(checked) != len(names):
        raise UsageError(f"MODEL must name each model once, got {', '.join(names)}")
    folder = make_folder(out)
    assets = []
    for name, entry in checked.items():
        model = models.load(name, pretrained=not untrained)
        assets += [_convert(entry, build, model, log) for build in BUILDS[entry.precision]]
    for asset in assets:
        atomic_write(folder / asset.file, asset.data)
    manifest = {
        "schema": SCHEMA,
        "datasets": [
            {
                "name": name,
                "labels": list(labels or DATASETS[name] or ()),
                "preprocessing": preprocessing(),
            }
            for name in sorted({asset.entry.dataset for asset in assets})
        ],
        "models": [_row(asset) for asset in assets],
    }
    atomic_write(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return manifest


def check_model(name: str, labels: Sequence[str] | None) -> models.ModelEntry:
    """The registry entry of a model that the app can run.

    Raises:
        UsageError: it is not one, or the labels do not go with it.
    """
    entry = models.get_entry(name)
    if entry.precision not in BUILDS:
        raise UsageError(
            f"MODEL {name}: the app runs {' and '.join(BUILDS)} models, not {entry.precision}"
        )
    if entry.dataset not in DATASETS:
        raise UsageError(
            f"MODEL {name}: the app knows images of {', '.join(DATASETS)}, not of {entry.dataset}"
        )
    classes = networks.DATASETS[entry.dataset].num_classes
    given = labels or DATASETS[entry.dataset]
    if given is None:
        raise UsageError(f"MODEL {name} needs --labels, a file with {classes} lines")
    if len(given) != classes:
        raise UsageError(f"--labels must have {classes} lines for {name}, got {len(given)}")
    return entry


def preprocessing() -> dict[str, list[float]]:
    """``float32(byte) * scale - shift`` per channel: training's evaluation preprocessing.

    Returns:
        ``scale`` and ``shift``, three float32 values each, exact in decimal.
    """
    (step,) = EVAL_PREPROCESSING
    if step is not normalize:
        raise AssertionError("the app knows no evaluation preprocessing but normalize")
    scale, shift = normalization()
    return {"scale": [float(v) for v in scale], "shift": [float(v) for v in shift]}


def _convert(entry: models.ModelEntry, build: str, model: Any, log: Log) -> Asset:
    from converters.baselines import build_baseline
    from converters.lce import convert

    precision = "w1a1" if build == "1-bit" else build
    name = f"{entry.network}-{precision}-{entry.dataset}"
    log(f"converting {name} ...")
    if build == "1-bit":
        data = convert(model, log, target="delegate").data
    else:
        data = build_baseline(model, build, None, log)
    return Asset(name, build, entry, data)


def _row(asset: Asset) -> dict[str, Any]:
    height, width, _ = networks.DATASETS[asset.entry.dataset].image
    if height != width:
        raise AssertionError(f"the app's images are square, not {height}x{width}")
    return {
        "name": asset.name,
        "network": f"{asset.entry.network}-{asset.entry.dataset}",
        "build": asset.build,
        "dataset": asset.entry.dataset,
        "size": height,
        "file": asset.file,
        "bytes": len(asset.data),
        "sha256": hashlib.sha256(asset.data).hexdigest(),
    }
