"""What the command line calls MODEL: a registry name, a weights file or a SavedModel."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irnet_keras import models
from irnet_keras.errors import UsageError
from irnet_keras.near import accepted

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


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


def resolve_model(
    spec: str, *, untrained: bool = False, network: str | None = None, trust: bool = False
) -> ResolvedModel:
    """Find and load a MODEL.

    Args:
        spec: a registry name, a ``.safetensors`` weights file written by ``irnet train``
            (its configuration is inside, also in the run folder), a ``.keras`` or ``.h5`` file
            (of a model, or of weights), or a SavedModel folder.
        untrained: random weights (registry names only).
        network: registry or recipe name of the network; then only weights are read from
            ``spec``, a Keras file or SavedModel.
        trust: let Keras run code that a Keras file or SavedModel contains.

    Raises:
        UsageError: nothing of the kind, unreadable, not to be loaded without ``trust``, or
            options that do not go together.
    """
    if spec in models.MODELS:
        if network is not None:
            raise UsageError(f"--model goes with a Keras file or SavedModel, not with {spec!r}")
        entry = models.MODELS[spec]
        model = models.load(spec, pretrained=not untrained)
        return ResolvedModel(model, spec, spec, entry.dataset)
    path = Path(spec)
    if not path.exists():
        raise UsageError(
            f"MODEL {spec!r} is neither a file nor a registry name; {accepted(spec, models.MODELS)}"
        )
    if untrained:
        raise UsageError(f"--untrained goes with a registry name, not with the file {spec!r}")
    if path.is_dir() or path.suffix in KERAS_SUFFIXES:
        return _keras_file(path, spec, network, trust=trust)
    if network is not None:
        raise UsageError(
            f"--model goes with a Keras file ({', '.join(KERAS_SUFFIXES)}) or SavedModel, "
            f"got {spec!r}"
        )
    return _weights_file(path, spec)


def _keras_file(path: Path, spec: str, network: str | None, *, trust: bool) -> ResolvedModel:
    from irnet_keras.models.saved import load_saved, load_weights_of

    if network is None:
        return ResolvedModel(load_saved(path, trust=trust), path.stem, spec, None)
    if trust:
        raise UsageError("--trust has no use with --model: only weights are read")
    model, dataset = _named_network(network)
    load_weights_of(model, path)
    return ResolvedModel(model, path.stem, spec, dataset)


def _named_network(name: str) -> tuple[Any, str]:
    """The untrained network of a registry or recipe name, and its data set."""
    from irnet_keras.recipes import RECIPES, get_recipe

    if name in models.MODELS:
        return models.load(name, pretrained=False), models.MODELS[name].dataset
    if name not in RECIPES:
        raise UsageError(
            f"--model must be a registry or recipe name, got {name!r}; "
            f"{accepted(name, [*models.MODELS, *RECIPES])}"
        )
    recipe = get_recipe(name)
    options = models.network_options(recipe.model_dump())
    return models.build_model(**options), recipe.dataset


# Fields of a weights file's configuration, and settings of the network it may have beside them.
_REQUIRED = ("network", "precision", "structure", "pad_values")
_OPTIONAL = ("dataset", "num_classes", "image_size", "stem", "downsample")
_SETTINGS = ("geometry", "activation", "stem", "head", "input_scale", "input_offset")


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    for name in given if isinstance(given, dict) else ("of another type",):
        if name not in _SETTINGS:
            raise ValueError(f"unknown setting {name}")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def _options(stored: dict[str, Any]) -> dict[str, Any]:
    """What :func:`irnet_keras.models.build_model` takes, of a stored configuration."""
    from irnet_keras.training.config import TrainConfig

    required = {name: stored[name] for name in ("name", *_REQUIRED)}
    optional = {name: stored[name] for name in _OPTIONAL if name in stored}
    config = TrainConfig.model_validate({**required, **optional})  # refuses absurd sizes
    options = models.network_options(config.model_dump())
    options["settings"] |= _settings(stored.get("settings", {}))
    return options


@contextmanager
def _stated_by(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} does not say which network its weights belong to") from error


def stored_entry(path: Path) -> models.ModelEntry:
    """What a weights file written by ``irnet train`` says of its network, without TensorFlow.

    Raises:
        UsageError: not such a file, or it does not name its data set.
    """
    from irnet_keras.models.weights import load_arrays

    _, metadata = load_arrays(path)
    with _stated_by(path):
        config = json.loads(metadata["config"])
        _options(config)
        return models.ModelEntry(
            *(config[key] for key in ("network", "precision", "dataset", "structure"))
        )


def _weights_file(path: Path, spec: str) -> ResolvedModel:
    from irnet_keras.models.weights import assign_arrays, load_arrays

    arrays, metadata = load_arrays(path)
    with _stated_by(path):
        config = json.loads(metadata["config"])
        options = _options(config)
        model = models.build_model(**options)
        name = str(config["name"])
    assign_arrays(model.weights, arrays, str(path))
    return ResolvedModel(model, name, spec, config.get("dataset"))
