"""What the command line calls MODEL: a registry name, a weights file or a SavedModel."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irnet_keras import models
from irnet_keras.errors import UsageError


@dataclass(frozen=True)
class ResolvedModel:
    """A Keras model and where it came from.

    Attributes:
        model: the Keras model, weights loaded.
        name: registry name, recipe name or folder name.
        source: what the user wrote.
        dataset: data set of its inputs, or None if unknown.
    """

    model: Any
    name: str
    source: str
    dataset: str | None


def resolve_model(spec: str, *, untrained: bool = False) -> ResolvedModel:
    """Find and load a MODEL.

    Args:
        spec: a registry name, a ``.safetensors`` weights file written by ``irnet train``
            (its configuration is inside, also in the run folder), or a SavedModel folder.
        untrained: random weights (registry names only).

    Raises:
        UsageError: nothing of the kind, unreadable, or ``untrained`` with a file.
    """
    if spec in models.MODELS:
        entry = models.MODELS[spec]
        model = models.load(spec, pretrained=not untrained)
        return ResolvedModel(model, spec, spec, entry.dataset)
    path = Path(spec)
    if not path.exists():
        raise UsageError(
            f"MODEL {spec!r} is neither a file nor a registry name; "
            f"accepted names: {', '.join(models.MODELS)}"
        )
    if untrained:
        raise UsageError(f"--untrained goes with a registry name, not with the file {spec!r}")
    if path.is_dir():
        return _saved_model(path, spec)
    return _weights_file(path, spec)


def _weights_file(path: Path, spec: str) -> ResolvedModel:
    from irnet_keras.models.weights import assign_arrays, load_arrays

    arrays, metadata = load_arrays(path)
    try:
        config = json.loads(metadata["config"])
        model = models.build_model(
            config["network"],
            dataset=config.get("dataset", "cifar10"),
            precision=config["precision"],
            structure=config["structure"],
            pad_values=config["pad_values"],
        )
        name = str(config["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} does not say which network its weights belong to") from error
    assign_arrays(model.weights, arrays, str(path))
    return ResolvedModel(model, name, spec, config.get("dataset"))


def _saved_model(path: Path, spec: str) -> ResolvedModel:
    import tensorflow as tf

    import irnet_keras.layers
    import irnet_keras.quantizers  # noqa: F401  (registers the custom objects)

    if not (path / "saved_model.pb").is_file():
        raise UsageError(f"folder {path} is not a SavedModel: it has no saved_model.pb")
    metadata = path / "keras_metadata.pb"
    if metadata.is_file() and b'"class_name": "Lambda"' in metadata.read_bytes():
        raise UsageError(f"{path} holds a Lambda layer, whose stored code is not run; replace it")
    try:
        model = tf.keras.models.load_model(str(path), compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a Keras SavedModel ({error})") from error
    return ResolvedModel(model, path.name, spec, None)
