"""Keras files and SavedModels as MODEL: weights arrive, stored code does not run."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from tf_keras.protobuf import saved_metadata_pb2

from irnet_keras.errors import UsageError
from irnet_keras.layers import Hardtanh, OptionAShortcut
from irnet_keras.models import build_model
from irnet_keras.models.resolve import resolve_model
from irnet_keras.models.saved import load_saved, load_weights_of
from irnet_keras.quantizers import EDESign, LibraPB

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
IMAGE = (8, 8, 3)
LAYERS = tf.keras.layers


def network() -> Any:
    """Every kind of layer our networks have, with weights that are nobody's initial ones."""
    x = image = LAYERS.Input(IMAGE, name="image")
    x = LAYERS.Conv2D(8, 3, padding="same", name="stem", activation="relu")(x)
    for number in (1, 2):
        shortcut = OptionAShortcut(8 * number, number)(x)
        x = lq.layers.QuantConv2D(
            8 * number,
            3,
            strides=number,
            padding="same",
            input_quantizer=EDESign(),
            kernel_quantizer=LibraPB(),
            name=f"conv{number}",
        )(x)
        x = LAYERS.BatchNormalization()(x)
        x = Hardtanh()(LAYERS.Add()([x, shortcut]))
    x = tf.math.multiply(x, 2.0)  # a layer of Keras' own that names a function
    model = tf.keras.Model(image, LAYERS.Dense(4)(LAYERS.GlobalAveragePooling2D()(x)))
    rng = np.random.default_rng(5)
    for w in model.weights:
        w.assign(
            rng.uniform(0.1, 1.0, w.shape) * rng.choice([-1, 1], w.shape) ** ("kernel" in w.name)
        )
    return model


@pytest.fixture(scope="module")
def original() -> Any:
    return network()


def images() -> np.ndarray:
    return np.random.default_rng(6).standard_normal((3, *IMAGE)).astype(np.float32)


def same(loaded: Any, original: Any) -> None:
    np.testing.assert_array_equal(loaded(images()), original(images()))


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "folder"])
@pytest.mark.parametrize("trust", [False, True])
def test_a_whole_model_computes_the_same(
    original: Any, tmp_path: Path, name: str, trust: bool
) -> None:
    original.save(tmp_path / name)
    resolved = resolve_model(str(tmp_path / name), trust=trust)
    assert resolved.name == Path(name).stem
    same(resolved.model, original)


@pytest.mark.parametrize("name", ["w.keras", "w.h5", "w.weights.h5", "whole.h5", "folder"])
def test_weights_go_into_a_named_network(tmp_path: Path, name: str) -> None:
    model = build_model("resnet20", precision="w1a32")
    for w in model.weights:
        w.assign(w + 0.25)
    path = tmp_path / name
    model.save_weights(path) if name in ("w.h5", "w.weights.h5") else model.save(path)
    resolved = resolve_model(str(path), network="resnet20-w1a32-cifar10")
    assert resolved.dataset == "cifar10"
    for a, b in zip(model.weights, resolved.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_recipe_names_a_network_too(tmp_path: Path) -> None:
    model = build_model("resnet20")
    model.save_weights(tmp_path / "w.h5")
    resolved = resolve_model(str(tmp_path / "w.h5"), network="resnet20-w1a1-cifar10-short")
    np.testing.assert_array_equal(resolved.model.weights[0], model.weights[0])


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5", "w.keras", "folder"])
def test_weights_of_another_network_are_refused(original: Any, tmp_path: Path, name: str) -> None:
    x = LAYERS.Input(IMAGE)
    other = tf.keras.Model(x, LAYERS.Conv2D(8, 5, name="stem")(x))
    before = other.get_weights()
    path = tmp_path / name
    original.save_weights(path) if ".h5" in name else original.save(path)
    with pytest.raises(UsageError, match="does not fit the model"):
        load_weights_of(other, path)
    if name == "w.h5":
        np.testing.assert_array_equal(other.get_weights()[0], before[0])


def test_weights_alone_need_the_name_of_a_network(original: Any, tmp_path: Path) -> None:
    for name in ("w.h5", "w.weights.h5"):
        original.save_weights(tmp_path / name)
        with pytest.raises(UsageError, match="holds weights only; name the network with --model"):
            resolve_model(str(tmp_path / name))


# -- code in files -----------------------------------------------------------------------------


def marker_model(marker: Path) -> Any:
    """A model whose loading or running leaves a file behind."""
    code = f"open({str(marker)!r}, 'w').close()"

    def leave(x: Any) -> Any:
        exec(code)
        return x

    x = LAYERS.Input(IMAGE)
    return tf.keras.Model(x, LAYERS.Lambda(leave)(x))


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "folder"])
def test_a_lambda_runs_with_trust_only(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "marker"
    model = marker_model(marker)
    model.save(tmp_path / name)
    marker.unlink()
    with pytest.raises(UsageError, match=r"needs a Lambda layer .* --trust"):
        resolve_model(str(tmp_path / name))
    assert not marker.exists()
    resolve_model(str(tmp_path / name), trust=True).model(images())
    assert marker.exists() or name == "folder"  # its graph was traced when it was saved


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A ``.keras`` file with another configuration."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
    path.write_bytes(content.getvalue())
    return path


def layer(config: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(c for c in config["config"]["layers"] if c["class_name"] == kind)


def set_function(config: dict[str, Any], name: str) -> None:
    layer(config, "TFOpLambda")["config"]["function"] = name


def set_initializer(config: dict[str, Any], /, **entry: Any) -> None:
    layer(config, "Conv2D")["config"]["kernel_initializer"] = entry


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: set_function(c, "io.write_file"), "the TensorFlow function io.write_file"),
        (lambda c: set_function(c, "py_function"), "the TensorFlow function py_function"),
        (
            lambda c: set_initializer(c, module="os", class_name="system", config={}),
            "system of os",
        ),
        (
            lambda c: set_initializer(c, module="keras.utils", class_name="get_file", config={}),
            "a get_file layer or object",
        ),
        (
            lambda c: set_initializer(c, class_name="function", config="eval", module="builtins"),
            "the function 'eval'",
        ),
        (
            lambda c: set_initializer(c, class_name="__lambda__", config={"value": ""}),
            "a __lambda__ layer or object",
        ),
    ],
)
def test_what_could_run_code_is_refused(
    original: Any, tmp_path: Path, change: Callable[[dict[str, Any]], None], what: str
) -> None:
    original.save(tmp_path / "m.keras")
    with pytest.raises(UsageError) as error:
        resolve_model(str(edited(tmp_path / "m.keras", change)))
    assert f"needs {what}, which could run code" in str(error.value)


def test_a_subclassed_saved_model_needs_trust(tmp_path: Path) -> None:
    class Own(tf.keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x + 1.0

    model = Own()
    model(images())
    model.save(tmp_path / "own")
    with pytest.raises(UsageError, match="no configuration to build the model from"):
        resolve_model(str(tmp_path / "own"))
    same(resolve_model(str(tmp_path / "own"), trust=True).model, model)


def test_data_outside_of_the_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["link"] = h5py.ExternalLink("/etc/passwd", "/")
    with h5py.File(tmp_path / "n.h5", "w") as file:
        file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    for name in ("m.h5", "n.h5"):
        with pytest.raises(UsageError, match="points to data elsewhere, which is refused"):
            resolve_model(str(tmp_path / name), network="resnet20-w1a1-cifar10")


def test_hard_links_in_a_circle_end(original: Any, tmp_path: Path) -> None:
    original.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        file["model_weights/loop"] = file["/"]
    same(load_saved(tmp_path / "m.h5"), original)


def test_a_vocabulary_in_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("alpha\nbeta\n")
    x = LAYERS.Input((1,), dtype="string")
    model = tf.keras.Model(x, LAYERS.StringLookup(vocabulary=["alpha"])(x))
    model.save(tmp_path / "m.keras")

    def change(config: dict[str, Any]) -> None:
        layer(config, "StringLookup")["config"]["vocabulary"] = str(tmp_path / "words")

    with pytest.raises(UsageError, match=r"reads another file, .*words', which is refused"):
        load_saved(edited(tmp_path / "m.keras", change))


# -- damaged files -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5"])
def test_damaged_files_end_in_one_line(
    original: Any, tmp_path: Path, name: str, rng: np.random.Generator
) -> None:
    path = tmp_path / name
    original.save_weights(path) if "weights" in name else original.save(path)
    whole = path.read_bytes()
    for length in [0, 1, len(whole) // 2, *rng.integers(0, len(whole), 3)]:
        path.write_bytes(whole[:length])
        for load in (load_saved, lambda p: load_weights_of(original, p)):
            with pytest.raises(UsageError) as error:
                load(path)
            assert "\n" not in str(error.value)


def test_a_saved_model_without_its_parts_is_refused(original: Any, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    original.save(folder)
    (folder / "variables" / "variables.index").unlink()
    with pytest.raises(UsageError, match="has no variables"):
        resolve_model(str(folder))
    (folder / "keras_metadata.pb").write_bytes(
        saved_metadata_pb2.SavedMetadata().SerializeToString()
    )
    with pytest.raises(UsageError, match="no configuration"):
        resolve_model(str(folder))
    (folder / "keras_metadata.pb").unlink()
    with pytest.raises(UsageError, match=r"no keras_metadata.pb"):
        resolve_model(str(folder))


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    (tmp_path / "w.h5").touch()
    (tmp_path / "w.safetensors").touch()
    for spec, options, message in [
        ("resnet20-w1a1-cifar10", {"network": "x"}, "--model goes with a Keras file"),
        (tmp_path / "w.safetensors", {"network": "x"}, "--model goes with a Keras file"),
        (
            tmp_path / "w.h5",
            {"network": "resnet2"},
            "--model must be a registry or recipe name, got 'resnet2'; .*accepted: resnet20",
        ),
        (tmp_path / "w.h5", {"network": "x", "trust": True}, "--trust has no use with --model"),
    ]:
        with pytest.raises(UsageError, match=message):
            resolve_model(str(spec), **options)
