"""The whole way in one call: weights, three builds, verification, accuracy, benchmark, report."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.runtimes import tflite_accuracy
from edge_bench.local import bench
from edge_bench.report import write_report
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed
from irnet_keras.files import atomic_write, make_folder

if TYPE_CHECKING:
    from converters.verify.report import OracleReport

SCHEMA = "irnet.quickstart/1"
BINARY, FLOAT = "resnet20-w1a1-cifar10", "resnet20-float32-cifar10"
# build name: network it is made of
BUILDS = {"float32": FLOAT, "int8": FLOAT, "1-bit": BINARY}
# the 1-bit file once more, in LCE's own interpreter
IN_LCE = "1-bit (LCE)"
PER_LAYER_IMAGES = 4

Log = Callable[[str], None]


@dataclass(frozen=True)
class Networks:
    """The two Keras models and how they were trained."""

    models: dict[str, Any]
    origin: str


def quickstart(
    out: Path, *, train_seconds: float | None = None, data_dir: Path | None = None, log: Log
) -> dict[str, Any]:
    """Convert, verify, score, benchmark and report ResNet-20 in three builds.

    Args:
        out: folder for the files; created. Existing results are replaced one by one.
        train_seconds: train both networks from scratch first, half of this time each, instead
            of using the shipped weights. Needs CIFAR-10 (prepared if missing).
        data_dir: TFDS data folder for that.
        log: receives progress lines.

    Returns:
        What ``results.json`` holds: ``schema_id``, ``bench`` (schema of ``edge_bench``),
        ``accuracy`` (build: accuracy, num_examples), ``verify`` (build: passed, reasons,
        agreement, ...), ``weights``, ``seconds``. Measured and scored are the builds and the
        1-bit file in LCE's interpreter.

    Raises:
        CheckFailed: a build did not verify; the results and the report are written first.
    """
    begun = time.monotonic()
    folder = make_folder(out)
    if train_seconds is None:
        networks = _shipped(log)
    else:
        from irnet_cli.quickstart_training import train_networks

        models, origin = train_networks(folder, train_seconds, data_dir, log)
        networks = Networks(models, origin)
    paths = _convert(networks, folder, log)
    sample = load_sample()
    verification, reasons = _verify(networks, paths, sample.test, log)
    runs = {name: (path, "auto") for name, path in paths.items()}
    runs[IN_LCE] = (paths["1-bit"], "lce")
    accuracy = {name: _score(*run, sample.test, name, log) for name, run in runs.items()}
    log("benchmarking, builds take turns ...")
    files, runtimes = zip(*runs.values(), strict=True)
    measured = bench(files, names=list(runs), runtimes=runtimes).with_accuracy(accuracy)
    result = {
        "schema_id": SCHEMA,
        "weights": networks.origin,
        "accuracy": accuracy,
        "verify": verification,
        "bench": measured.model_dump(mode="json"),
        "seconds": round(time.monotonic() - begun, 1),
    }
    atomic_write(folder / "results.json", json.dumps(result, indent=2) + "\n")
    write_report(
        measured,
        folder / "report.html",
        title="ResNet-20 on CIFAR-10: float32, int8 and 1-bit",
        notes=_notes(networks.origin, len(sample.test)),
        verify=verification,
    )
    if reasons:
        raise CheckFailed("verification failed: " + "; ".join(reasons))
    return result


def _shipped(log: Log) -> Networks:
    from irnet_keras import models

    log("loading the shipped weights ...")
    loaded = {name: models.load(name) for name in (FLOAT, BINARY)}
    scores = [
        f"{name} {100 * accuracy:.2f} %"
        for name in loaded
        if (accuracy := models.get_entry(name).test_accuracy) is not None
    ]
    origin = "shipped with the package; measured on all 10,000 test images: " + ", ".join(scores)
    return Networks(loaded, origin)


def _convert(networks: Networks, folder: Path, log: Log) -> dict[str, Path]:
    from converters.baselines import build_baseline
    from converters.lce import convert

    paths = {}
    for name, network in BUILDS.items():
        log(f"converting {name} ...")
        model = networks.models[network]
        data = convert(model, log).data if name == "1-bit" else build_baseline(model, name)
        paths[name] = folder / f"resnet20-{name}.tflite"
        atomic_write(paths[name], data)
    return paths


def _verify(
    networks: Networks, paths: dict[str, Path], images: LabelledImages, log: Log
) -> tuple[dict[str, Any], list[str]]:
    from converters.verify import verify

    parts: dict[str, Any] = {}
    reasons = []
    for name, path in paths.items():
        log(f"verifying {name} against Keras on {len(images)} images ...")
        report = verify(
            networks.models[BUILDS[name]], path, images, per_layer_images=PER_LAYER_IMAGES
        )
        atomic_write(path.with_suffix(".verify.json"), report.model_dump_json(indent=2) + "\n")
        reasons += [f"{name}: {reason}" for reason in report.reasons]
        part: dict[str, Any] = {"passed": report.passed, "reasons": list(report.reasons)}
        if report.outputs is not None:
            part["argmax_agreement"] = report.outputs.agreement
            part["keras_accuracy"] = report.outputs.keras_accuracy
            part["file_accuracy"] = report.outputs.file_accuracy
        if report.layers:
            part["binary_layers"] = len(report.layers)
            part["worst_layer_error"] = max(layer.worst_error for layer in report.layers)
            part["sign_flips"] = sum(flip.flips for flip in report.flips)
            part["signs_compared"] = sum(flip.num_bits for flip in report.flips)
        if report.oracle is not None:
            part["oracle"] = _oracle(report.oracle)
        parts[name] = part
    return parts, reasons


def _oracle(report: "OracleReport") -> dict[str, Any]:
    layers = report.layers
    return {
        "engine": " and ".join(report.engines) or None,
        "operators": len(layers),
        "values_compared": report.num_values,
        "values_differing": sum(
            layer.differing + layer.downstream + layer.merged_differing for layer in layers
        ),
        "not_compared": list(report.not_compared),
    }


def _score(path: Path, runtime: str, images: LabelledImages, name: str, log: Log) -> dict[str, Any]:
    log(f"scoring {name} ...")
    score = tflite_accuracy(path, images.images, images.labels, preprocess, runtime=runtime)
    return {"accuracy": score.accuracy, "num_examples": score.num_examples}


def _notes(origin: str, num_images: int) -> list[str]:
    return [
        "One network in three builds: float32 and int8 are the float twin (the same graph with "
        "the quantizers off, trained on its own), 1-bit has binary weights and activations in "
        "all 18 inner convolutions.",
        f"Weights: {origin}.",
        f"Accuracy here is on {num_images:,} shipped CIFAR-10 test images, 100 of each class.",
        "float32, int8 and 1-bit run in LiteRT, 1-bit with lce_delegate and its kernels for this "
        f"processor. {IN_LCE} is the 1-bit file in Larq Compute Engine's own interpreter, the "
        "oracle of the verification; on x86 that has no SIMD kernels, on ARM it has.",
    ]
