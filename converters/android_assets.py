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
from irnet_keras.models.resolve import stored_entry

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
        entry: network it is made of.
        data: content of the ``.tflite`` file.
        macs: its multiply-accumulates, see :func:`count_macs`.
    """

    name: str
    build: str
    entry: models.ModelEntry
    data: bytes
    macs: dict[str, int]

    @property
    def file(self) -> str:
        """Name in the app's assets."""
        return f"{self.name}.tflite"


def write_assets(
    specs: Sequence[str],
    out: Path,
    *,
    load: Callable[[str], Any],
    labels: Sequence[str] | None = None,
    log: Log = lambda line: None,
) -> dict[str, Any]:
    """Convert models and write them with their manifest; other files of the folder stay.

    Args:
        specs: MODELs; of float32 models also the int8 build is made.
        out: folder, created.
        load: the Keras model of a MODEL.
        labels: names of the classes, for data sets whose names the package does not know.
        log: receives progress lines.

    Returns:
        The manifest.

    Raises:
        UsageError: a network twice or unknown, one the app cannot feed, or labels that do
            not go with it.
        CheckFailed: a conversion failed.
    """
    entries = check_models(specs, labels)
    folder = make_folder(out)
    assets = []
    for spec, entry in zip(specs, entries, strict=True):
        model = load(spec)
        assets += [_convert(entry, build, model, log) for build in BUILDS[entry.precision]]
    for asset in assets:
        atomic_write(folder / asset.file, asset.data)
    manifest = {
        "schema": SCHEMA,
        "datasets": [
            {
                "name": name,
                "labels": list(DATASETS[name] or labels or ()),
                "preprocessing": preprocessing(),
            }
            for name in sorted({asset.entry.dataset for asset in assets})
        ],
        "models": [_row(asset) for asset in assets],
    }
    atomic_write(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return manifest


def check_models(specs: Sequence[str], labels: Sequence[str] | None) -> list[models.ModelEntry]:
    """What MODELs that the app can run together are.

    Raises:
        UsageError: one is not, two are of the same network and precision, or the labels do not
            go with them.
    """
    entries = [_entry(spec) for spec in specs]
    if len({(entry.network, entry.precision, entry.dataset) for entry in entries}) != len(entries):
        raise UsageError(f"MODEL must name each network once, got {', '.join(specs)}")
    unnamed = [entry.dataset for entry in entries if DATASETS[entry.dataset] is None]
    if labels is not None and not unnamed:
        raise UsageError("--labels goes with data sets other than cifar10, which brings its own")
    for dataset in unnamed:
        classes = networks.DATASETS[dataset].num_classes
        if labels is None:
            raise UsageError(f"MODEL of {dataset} needs --labels, a file with {classes} lines")
        if len(labels) != classes:
            raise UsageError(f"--labels must have {classes} lines for {dataset}, got {len(labels)}")
    return entries


def _entry(spec: str) -> models.ModelEntry:
    path = Path(spec)
    stored = spec not in models.MODELS and path.is_file()
    entry = stored_entry(path) if stored else models.get_entry(spec)
    if entry.precision not in BUILDS:
        raise UsageError(
            f"MODEL {spec}: the app runs {' and '.join(BUILDS)} models, not {entry.precision}"
        )
    if entry.dataset not in DATASETS:
        raise UsageError(
            f"MODEL {spec}: the app knows images of {', '.join(DATASETS)}, not of {entry.dataset}"
        )
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
    return Asset(name, build, entry, data, count_macs(data))


def count_macs(data: bytes) -> dict[str, int]:
    """Multiply-accumulates of a file for one image, what its energy goes into.

    Returns:
        ``"1-bit"``, ``"int8"`` and ``"float"``, as ``irnet explain`` counts them.
    """
    from converters.explain import explain
    from converters.graph import read_graph

    totals = explain(read_graph(data), "").totals
    return {
        "1-bit": totals.macs_1bit,
        "int8": totals.macs_int8,
        "float": totals.macs_float,
    }


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
        "macs": asset.macs,
        "file": asset.file,
        "bytes": len(asset.data),
        "sha256": hashlib.sha256(asset.data).hexdigest(),
    }
