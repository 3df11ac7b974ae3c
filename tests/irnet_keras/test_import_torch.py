"""PyTorch's weights in our networks: every layer, every sign, every refusal."""

import json
from pathlib import Path
from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from torch_reference import Reference, State, random_state
from typer.testing import CliRunner

from irnet_cli.app import app
from irnet_keras import models
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError
from irnet_keras.layers import Rotate180
from irnet_keras.models.resolve import resolve_model
from irnet_keras.models.torch_weights import (
    Imported,
    fill,
    import_state,
    known_names,
    read_state,
)
from irnet_keras.models.weights import save_arrays

Rng = np.random.Generator


def real_images(count: int) -> Any:
    return preprocess(load_sample().test.images[:count])


def activations(imported: Imported, images: Any) -> tuple[list[Any], Any]:
    """Inputs of the inner convolutions as the image stands, and logits."""
    model = imported.model
    convs = [layer for layer in model.layers if isinstance(layer, lq.layers.QuantConv2D)]
    tapped = tf.keras.Model(model.input, [*(conv.input for conv in convs), model.output])
    *inputs, logits = (t.numpy() for t in tapped(images, training=False))
    if any(isinstance(layer, Rotate180) for layer in model.layers):
        inputs = [x[:, ::-1, ::-1] for x in inputs]
    return inputs, logits


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("resnet20-w1a1-cifar10", "resnet20", 4),
        ("resnet20-w1a32-cifar10", "resnet20", 4),
        ("resnet20-float32-cifar10", "resnet20", 4),
        ("vgg-small-w1a1-cifar10", "vgg-small", 2),
        ("resnet18-w1a1-cifar10", "resnet18-cifar10", 2),
        ("resnet18-w1a1-imagenet", "resnet18-imagenet", 1),
    ],
)
def test_every_activation_and_every_sign_is_pytorchs(
    rng: Rng, name: str, kind: str, count: int
) -> None:
    binary = "float32" not in name
    state = random_state(rng, kind, binary=binary)
    imported = import_state(state, name)
    assert imported.ambiguous_signs == 0
    # (ImageNet's state has bn3 as IR-Net's code leaves it: made, and never called)
    assert ("imagenet" in name) == (imported.config["settings"].get("head") == "norm-dense")
    images = real_images(count)
    if kind == "resnet18-imagenet":
        images = np.repeat(np.repeat(images, 7, axis=1), 7, axis=2)
    inputs, logits = activations(imported, images)
    reference = Reference(state, binary_weights=binary, signs_of=inputs if "w1a1" in name else None)
    doubles = images.astype(np.float64)
    expected = (
        reference.vgg_small(doubles) if kind == "vgg-small" else reference.resnet(doubles, kind)
    )
    assert reference.wrong_signs == 0
    assert len(inputs) == len(reference.inputs) > 4
    for found, wanted in zip(inputs, reference.inputs, strict=True):
        assert wanted.std() > 0.1
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-4)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4)


W1A1 = "resnet20-w1a1-cifar10"


@pytest.fixture
def state(rng: Rng) -> State:
    return random_state(rng, "resnet20", binary=True)


@pytest.fixture(scope="module")
def model() -> Any:
    """To be filled."""
    return models.build_model("resnet20", settings={"geometry": "torch"})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("resnet20-w1a32-cifar10", "resnet20"),
        ("resnet18-float32-imagenet", "resnet18-imagenet"),
    ],
)
def test_networks_with_relu_are_irnets_and_torchvisions(rng: Rng, name: str, kind: str) -> None:
    binary = "float32" not in name
    state = random_state(rng, kind, binary=binary)
    images = real_images(1)
    if not binary:  # torchvision's
        state = {k: v for k, v in state.items() if k.split(".")[0] not in ("bn2", "bn3")}
        images = np.repeat(np.repeat(images, 7, axis=1), 7, axis=2)
    imported = import_state(state, name, activation="relu")
    assert imported.config["structure"] == "normal"
    reference = Reference(state, binary_weights=binary, signs_of=None)
    expected = reference.resnet(images.astype(np.float64), kind, relu=True)
    found = imported.model(images, training=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2**-18 * np.abs(expected).max())


def test_sizes_that_are_odd_are_pytorchs_too(state: State) -> None:
    """Windows of odd images are symmetric; the pixels that shortcuts keep count from the first."""
    odd = models.build_model(
        "resnet20", precision="w1a32", image=(31, 25, 3), settings={"geometry": "torch"}
    )
    fill(odd, known_names(state), W1A1)
    images = real_images(2)[:, :31, :25]
    reference = Reference(state, binary_weights=True, signs_of=None)
    expected = reference.resnet(images.astype(np.float64), "resnet20")
    np.testing.assert_allclose(odd(images, training=False), expected, rtol=0, atol=1e-4)


def test_prefixes_buffers_and_half_precision_are_understood(model: Any, state: State) -> None:
    plain = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    halves = {f"module.{k}": v.astype(np.float64) for k, v in state.items()}
    halves["module.layer1.0.conv1.k"] = halves["module.layer1.0.conv1.t"] = np.ones(1)
    halves["module.linear.bias"] = halves["module.linear.bias"].astype(np.float16)
    known = known_names(halves)
    assert set(known) == set(plain)
    names, _ = fill(model, known, W1A1)
    assert names["stage2_block1a_conv"] == "layer2.0.conv1"
    kernel = np.transpose(plain["layer2.0.conv1.weight"][:, :, ::-1, ::-1], (2, 3, 1, 0))
    np.testing.assert_array_equal(model.get_layer("stage2_block1a_conv").kernel, kernel)
    bias = plain["linear.bias"].astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(model.get_layer("logits").bias, bias)


def test_a_missing_norm_of_the_head_does_nothing(model: Any, state: State, rng: Rng) -> None:
    without = {k: v for k, v in state.items() if not k.startswith("bn2.")}
    _, identity_norms = fill(model, known_names(without), W1A1)
    assert identity_norms == ("head_bn",)
    x = rng.normal(0, 1, (3, 64)).astype(np.float32)
    y = model.get_layer("head_bn")(x, training=False)
    np.testing.assert_allclose(y, x, rtol=2**-22, atol=0)


def test_a_norm_behind_the_classifier_is_kept_where_images_went_through_it(rng: Rng) -> None:
    state = random_state(rng, "resnet18-imagenet", binary=True)
    state["bn3.running_mean"] += 1
    used = import_state(state, "resnet18-w1a1-imagenet")
    assert "head" not in used.config["settings"]
    assert used.names["logits_bn"] == "bn3"
    assert float(used.model.get_layer("logits_bn").moving_mean[7]) == 1


def test_another_normalization_becomes_part_of_the_network(state: State) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    uint8 = load_sample().test.images[:2]
    theirs = ((uint8 / 255 - np.array(mean)) / np.array(std)).astype(np.float32)
    rescaled = import_state(state, "resnet20-w1a32-cifar10", mean=mean, std=std).model
    plain = import_state(state, "resnet20-w1a32-cifar10").model
    found, expected = rescaled(preprocess(uint8)), plain(theirs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def without(key: str) -> Any:
    return lambda state: state.pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without("layer2.0.conv1.weight"),
            "lacks layer2.0.conv1.weight, which resnet20-w1a1-cifar10 needs for stage2_block1a_",
        ),
        (without("linear.weight"), "lacks linear.weight or fc.weight or classifier.weight"),
        (without("layer1.1.bn2.running_var"), "lacks layer1.1.bn2.running_var"),
        (
            lambda s: s.update({"conv1.bias": np.zeros(16, np.float32)}),
            r"has conv1.bias \(and 0 more\), for which .* no place; accepted: ",
        ),
        (
            lambda s: s.update({"conv1.weight": np.zeros((16, 3, 5, 5), np.float32)}),
            r"conv1.weight must have shape \(16, 3, 3, 3\) .*, got \(16, 3, 5, 5\)",
        ),
        (
            lambda s: s.update({"linear.bias": np.zeros(10, np.int64)}),
            "linear.bias must be float16, float32 or float64, got int64",
        ),
        (
            lambda s: s.update({"linear.bias": np.full(10, np.nan, np.float32)}),
            "linear.bias must be finite, it has 10 others",
        ),
        (
            lambda s: s.update({"bn1.running_var": np.full(16, -1, np.float32)}),
            "bn1.running_var must not be negative, got -1",
        ),
        (lambda s: s.update({"module.bn1.bias": s["bn1.bias"]}), "has bn1.bias twice"),
    ],
)
def test_states_that_do_not_fit_are_refused(
    model: Any, state: State, change: Any, message: str
) -> None:
    change(state)
    with pytest.raises(UsageError, match=message) as caught:
        fill(model, known_names(state), W1A1)
    assert "\n" not in str(caught.value)


def test_another_network_or_normalization_is_refused(state: State) -> None:
    with pytest.raises(UsageError, match="unknown model 'resnet21'"):
        import_state(state, "resnet21")
    with pytest.raises(UsageError, match="structure of resnet20 must be one of"):
        import_state(state, W1A1, structure="plain")
    with pytest.raises(UsageError, match=r"relu goes with resnet20-w1a32-cifar10, .* not with"):
        import_state(state, W1A1, activation="relu")
    with pytest.raises(UsageError, match="--activation must be hardtanh or relu, got 'gelu'"):
        import_state(state, W1A1, activation="gelu")
    with pytest.raises(UsageError, match="--std must be 3 numbers > 0"):
        import_state(state, W1A1, mean=(0, 0, 0), std=(1, 0, 1))
    with pytest.raises(UsageError, match="--mean must be 3 numbers"):
        import_state(state, W1A1, mean=(0, 0), std=(1, 1, 1))
    with pytest.raises(UsageError, match="go with networks for CIFAR, got one for imagenet"):
        import_state(state, "resnet18-w1a1-imagenet", mean=(0, 0, 0), std=(1, 1, 1))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("state.pth", b"", "a pickle, which could run code; .*safetensors"),
        ("state.npz", b"no zip", "not a readable .npz file"),
        ("state.npz", None, "not a readable .npz file of plain arrays .*allow_pickle=False"),
        ("state.safetensors", b"12345678", "not a readable safetensors file"),
        ("state.txt", b"", "must be a .npz or .safetensors file"),
    ],
)
def test_files_that_are_no_state_are_refused(
    tmp_path: Path, file: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / file
    if content is None:
        np.savez(path, array=np.array([{}], object))
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_state(path)
    with pytest.raises(UsageError, match="does not exist"):
        read_state(tmp_path / "nothing.npz")


def test_a_damaged_npz_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "state.npz"
    np.savez_compressed(path, array=rng.integers(0, 3, 5000))
    content = bytearray(path.read_bytes())
    content[200:300] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"not a readable .npz file of plain arrays"):
        read_state(path)


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_both_kinds_of_files_are_read(tmp_path: Path, state: State) -> None:
    np.savez(tmp_path / "state.npz", **state)
    save_arrays(tmp_path / "state.safetensors", state, {})
    for name in ("state.npz", "state.safetensors"):
        found = read_state(tmp_path / name)
        assert set(found) == set(state)
        for key, value in state.items():
            np.testing.assert_array_equal(found[key], value)


def test_the_command_writes_a_file_that_is_a_model(tmp_path: Path, state: State) -> None:
    source, out = tmp_path / "state.npz", tmp_path / "model.safetensors"
    np.savez(source, **state)
    options = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--json", "-"]
    result = run("import-torch", source, "--model", W1A1, "-o", out, *options)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["config"]["settings"]["geometry"] == "torch"
    assert len(report["layers"]) == 40
    resolved = resolve_model(str(out))
    assert resolved.name == W1A1
    assert resolved.dataset == "cifar10"
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = import_state(state, W1A1, mean=mean, std=std).model
    images = real_images(2)
    np.testing.assert_array_equal(resolved.model(images), expected(images))
    for settings in ({"widths": [10**6] * 3}, {"geometry": "other"}, {"input_scale": [1]}, 3):
        config = json.dumps({**report["config"], "settings": settings})
        path = tmp_path / "other.safetensors"
        save_arrays(path, {"none": np.zeros(1, np.float32)}, {"config": config})
        with pytest.raises(UsageError, match="does not say which network"):
            resolve_model(str(path))
