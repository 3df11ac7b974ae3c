"""Sizes of one network's files: float32, int8, and 1-bit with each kind of leftovers.

    python benchmarks/file_sizes.py [--networks resnet20-cifar10 ...] [--json FILE]

Shipped weights where there are some, random ones elsewhere: sizes depend on the shapes only, but
for some hundred bytes. Every file comes out of the same calls as ``irnet convert`` and ``irnet
baseline``. Prints a table in kB (1,000 bytes).
"""

import argparse
import json
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import tensorflow as tf

from converters.baselines import build_baseline
from converters.lce import convert
from converters.leftovers import MODES
from converters.leftovers.representative import sample_inputs
from irnet_keras import models
from irnet_keras.errors import IrnetError

NETWORKS = tuple(f"{network}-{dataset}" for network, dataset in models.NETWORKS)
DEFAULT = ("resnet20-cifar10", "vgg-small-cifar10", "resnet18-cifar10", "resnet18-imagenet")
SEED = 0


def sizes(network: str) -> dict[str, int]:
    """Bytes of every build of a network, e.g. ``"resnet20-cifar10"``."""
    name, dataset = network.rsplit("-", 1)
    float32 = load(f"{name}-float32-{dataset}")
    images = sample_inputs(float32.input_shape[1:], test=False)
    found = {fmt: len(build_baseline(float32, fmt, images)) for fmt in ("float32", "int8")}
    binary = load(f"{name}-w1a1-{dataset}")
    for mode in MODES:
        found[f"w1a1, {mode} leftovers"] = len(convert(binary, leftovers=mode).data)
    found["w1a32"] = len(convert(load(f"{name}-w1a32-{dataset}")).data)
    return found


def load(name: str) -> Any:
    """A registry model, with shipped weights if there are some."""
    tf.keras.utils.set_random_seed(SEED)
    return models.load(name, pretrained=models.MODELS[name].weights is not None)


def main() -> int:
    """Parse, convert, print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=DEFAULT)
    parser.add_argument("--json", help="also write the bytes to this file")
    arguments = parser.parse_args()
    results: dict[str, dict[str, int]] = {}
    for network in arguments.networks:
        results[network] = sizes(network)
        row = results[network]
        if len(results) == 1:
            print("| network | " + " | ".join(row) + " |")
            print("| --- |" + " --- |" * len(row))
        cells = (f"{n / 1000:,.0f} ({row['float32'] / n:.1f}x)" for n in row.values())
        print(f"| {network} | " + " | ".join(cells) + " |", flush=True)
    if arguments.json:
        from irnet_keras.files import atomic_write

        atomic_write(arguments.json, json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except IrnetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
