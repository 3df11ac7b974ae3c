"""Models and weights as Keras saves them, read without running anything they contain.

A ``.keras`` file, an ``.h5`` file of a whole model and a SavedModel all hold the model's
configuration. The model is built anew from it, by classes of Keras, Larq and this project only,
and given the stored weights: no stored function, graph or pickle is ever touched. What needs more
(``Lambda``, classes from elsewhere, models without configuration) is refused unless trusted.

References:
    CVE-2024-3660, CVE-2025-1550, CVE-2025-8747: code that runs when a Keras file is loaded.
"""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from irnet_keras.errors import UsageError, first_line
from irnet_keras.models.weights import Arrays, assign_arrays

MAX_BYTES = 2**32  # of an archive's unpacked content
_PACKAGES = ("keras", "tf_keras", "larq", "irnet_keras", "builtins")
_CONTAINERS = {"__tuple__", "__numpy__", "__tensor__", "TensorShape", "Functional", "Sequential"}
_REFUSED = {"Lambda"}
# functions of TensorFlow that a graph of Keras layers may call, and none that touches a file
_FUNCTIONS = ("math.", "nn.", "__operators__.", "image.resize")
_FUNCTION_NAMES = {
    "cast", "clip_by_value", "concat", "expand_dims", "identity", "pad", "reshape", "reverse",
    "sign", "split", "squeeze", "stack", "stop_gradient", "tile", "transpose", "where",
}  # fmt: skip


def load_saved(path: Path, *, trust: bool = False) -> Any:
    """The Keras model of a ``.keras`` or ``.h5`` file or a SavedModel folder.

    Args:
        path: a file with one of ``KERAS_SUFFIXES``, or a folder.
        trust: load it with Keras' own loader, which runs what the file says.

    Returns:
        the model, not compiled.

    Raises:
        UsageError: unreadable, weights only, or not to be loaded without trust.
    """
    try:
        if trust:
            return tf.keras.models.load_model(str(path), compile=False, safe_mode=False)
        config = _read_config(path)
        _check(config, path)
        model = _build(config)
        _load_own_weights(model, path)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{path} is not a readable Keras model ({first_line(error)})") from error
    return model


def load_weights_of(model: Any, path: Path) -> None:
    """Give a model the weights of a file or SavedModel; no configuration is read.

    Args:
        model: Keras model, changed in place.
        path: ``.keras``, ``.h5`` (of a model or of weights), ``.weights.h5`` or a SavedModel.

    Raises:
        UsageError: unreadable, or of another network.
    """
    try:
        if path.is_dir() or path.name.endswith((".keras", ".weights.h5")):
            _load_own_weights(model, path)
        else:
            assign_arrays(model.weights, _legacy_arrays(path), str(path))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{path} does not fit the model {model.name} ({first_line(error)})"
        ) from error


def _read_config(path: Path) -> dict[str, Any]:
    if path.is_dir():
        return _saved_model_config(path)
    if path.suffix == ".keras":
        with _archive(path) as archive:
            return dict(json.loads(archive.read("config.json")))
    with _hdf5(path) as file:
        stored = file.attrs.get("model_config")
    if stored is None:
        raise UsageError(f"{path} holds weights only; name the network with --model NAME")
    return dict(json.loads(stored))


def _saved_model_config(path: Path) -> dict[str, Any]:
    from tf_keras.protobuf import saved_metadata_pb2

    if not (path / "saved_model.pb").is_file():
        raise UsageError(f"folder {path} is not a SavedModel: it has no saved_model.pb")
    file = path / "keras_metadata.pb"
    if not file.is_file():
        raise UsageError(f"{path} is not a SavedModel of Keras: it has no keras_metadata.pb")
    stored = saved_metadata_pb2.SavedMetadata()
    stored.ParseFromString(file.read_bytes())
    root: dict[str, Any] = next(
        (json.loads(n.metadata) for n in stored.nodes if n.node_path == "root"), {}
    )
    if "config" not in root or root.get("class_name") not in ("Functional", "Sequential"):
        raise UsageError(
            f"{path} has no configuration to build the model from (a subclassed model?); "
            "--trust loads its stored graph instead, which can run any code"
        )
    return {"class_name": root["class_name"], "config": _with_tuples(root["config"])}


def _with_tuples(value: Any) -> Any:
    """Undo how the metadata of SavedModels spell tuples."""
    if isinstance(value, list):
        return [_with_tuples(v) for v in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__tuple__":
        return tuple(_with_tuples(v) for v in value["items"])
    return {key: _with_tuples(v) for key, v in value.items()}


def _check(config: dict[str, Any], path: Path) -> None:
    """Refuse configurations that name anything but known classes and functions."""
    known = _known_classes()
    for entry in _entries(config):
        name, module = entry.get("class_name"), entry.get("module")
        what = ""
        if module is not None and str(module).split(".")[0] not in _PACKAGES:
            what = f"{name} of {module}"
        elif name == "function":
            if not _is_known_function(entry.get("config")):
                what = f"the function {entry.get('config')!r}"
        elif name in ("TFOpLambda", "SlicingOpLambda"):
            function = str((entry.get("config") or {}).get("function"))
            if not (function.startswith(_FUNCTIONS) or function in _FUNCTION_NAMES):
                what = f"the TensorFlow function {function}"
        elif name is not None and name not in known:
            what = f"a {name} layer or object"
        settings = entry.get("config")
        vocabulary = settings.get("vocabulary") if isinstance(settings, dict) else None
        if isinstance(vocabulary, str):
            raise UsageError(f"{path} reads another file, {vocabulary!r}, which is refused")
        if what:
            raise UsageError(
                f"{path} needs {what}, which could run code stored in the file; --trust loads it "
                "all the same"
            )


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """All mappings in a configuration."""
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            yield current
            pending += current.values()
        elif isinstance(current, (list, tuple)):
            pending += current


def _is_known_function(name: object) -> bool:
    return isinstance(name, str) and (
        callable(getattr(tf.keras.activations, name, None))
        or name in tf.keras.utils.get_custom_objects()
    )


def _known_classes() -> set[str]:
    import larq as lq

    import irnet_keras.layers
    import irnet_keras.quantizers

    keras = tf.keras
    modules = [keras.layers, keras.initializers, keras.regularizers, keras.constraints]
    modules += [lq.layers, lq.quantizers, lq.constraints, irnet_keras.layers]
    names = {name for m in modules for name in dir(m) if isinstance(getattr(m, name, None), type)}
    names |= {key.split(">")[-1] for key in keras.utils.get_custom_objects()}
    names = (names | _CONTAINERS) - _REFUSED
    return names | {"Larq>" + name for name in names}


def _build(config: dict[str, Any]) -> Any:
    if "module" in config:  # the format of .keras files
        return tf.keras.utils.deserialize_keras_object(config, safe_mode=True)
    return tf.keras.models.model_from_config(config)


def _load_own_weights(model: Any, path: Path) -> None:
    if path.is_dir():
        prefix = path / "variables" / "variables"
        if not prefix.with_suffix(".index").is_file():
            raise UsageError(f"{path} has no variables")
        status = model.load_weights(str(prefix))
        status.assert_existing_objects_matched()
        status.expect_partial()
    elif path.suffix == ".keras":
        with _archive(path) as archive, tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.weights.h5"
            file.write_bytes(archive.read(file.name))
            _hdf5(file).close()
            model.load_weights(str(file))
    else:
        _hdf5(path).close()
        model.load_weights(str(path))


def _legacy_arrays(path: Path) -> Arrays:
    """Weights by name from an ``.h5`` file of weights or of a whole model."""
    arrays: Arrays = {}
    with _hdf5(path) as file:
        root = file.get("model_weights", file)
        layers = root.attrs.get("layer_names")
        if layers is None:
            raise UsageError(f"{path} does not hold weights as Keras saves them")
        for layer in layers:
            group = root[_text(layer)]
            for weight in group.attrs["weight_names"]:
                name = _text(weight)
                if name in arrays:
                    raise UsageError(f"{path} has two weights called {name}")
                arrays[name] = np.asarray(group[name])
    return arrays


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is not a .keras file ({error})") from error
    size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise UsageError(f"{path} unpacks to {size} bytes, at most {MAX_BYTES} are accepted")
    return archive


def _hdf5(path: Path) -> Any:
    """An open HDF5 file whose content is all in the file itself."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UsageError(f"{path} is not an HDF5 file ({first_line(error)})") from error
    pending, seen = [file], set()
    while pending:
        group = pending.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:  # hard links may form a circle
            continue
        seen.add(address)
        for name in group:
            link = group.get(name, getlink=True)
            item = group.get(name) if isinstance(link, h5py.HardLink) else None
            if item is None or (
                isinstance(item, h5py.Dataset) and (item.external or item.is_virtual)
            ):
                file.close()
                raise UsageError(f"{path}: {name!r} points to data elsewhere, which is refused")
            if isinstance(item, h5py.Group):
                pending.append(item)
    return file
