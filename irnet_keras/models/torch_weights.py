"""PyTorch's weights for our networks: names, axes, and windows that pad above and on the left.

A strided window of PyTorch (``padding=1``, 3x3) begins one pixel above and left of an even
image, TensorFlow's SAME ends one pixel below and right. Rotated by 180 degrees one is the other,
so the network rotates its image (``geometry="torch"``) and here every kernel is rotated too.
PyTorch is not needed.

References:
    docs/explanation/import_torch.md; IR-Net's released networks, github.com/htqin/IR-Net.
"""

import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet_keras import models
from irnet_keras.data.preprocessing import CIFAR10_MEAN, CIFAR10_STD
from irnet_keras.errors import UsageError
from irnet_keras.models.networks import DATASETS
from irnet_keras.models.weights import Arrays

MAX_STATE_BYTES = 2**31 - 1
_PICKLES = (".pt", ".pth", ".th", ".bin", ".ckpt", ".tar", ".pkl")
# EDE's k and t of IR-Net's layers (some versions store them), and what only training needs
_IGNORED = re.compile(r"(^|\.)(num_batches_tracked|k|t)$")
_NORM = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
# IR-Net's w1a32 code; on ImageNet that of torchvision, too, which lacks bn2.
_RELU = {
    ("resnet20", "cifar10"): {"stem": "3x3", "head": "norm-relu-dense"},
    ("resnet20", "cifar100"): {"stem": "3x3", "head": "norm-relu-dense"},
    ("resnet18", "imagenet"): {},
    ("resnet34", "imagenet"): {},
}
_EPSILON = 1e-5  # of PyTorch's and our batch norms


@dataclass(frozen=True)
class Imported:
    """A network with PyTorch's weights.

    Attributes:
        model: the Keras model.
        config: what a weights file says about it.
        names: PyTorch's module for each layer with weights.
        identity_norms: batch norms of ours that the state has not, set to do nothing.
        ambiguous_signs: binary weights whose sign differs from that of the same formula in
            float64, because they are within rounding of their filter's mean.
    """

    model: Any
    config: dict[str, Any]
    names: dict[str, str]
    identity_norms: tuple[str, ...]
    ambiguous_signs: int


def read_state(path: str | os.PathLike[str]) -> Arrays:
    """Read a state dict; nothing in the file is run.

    Args:
        path: ``.npz`` or ``.safetensors``.

    Raises:
        UsageError: missing, unreadable, pickled, or of another kind.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"STATE_DICT {file} does not exist")
    if file.suffix in _PICKLES:
        raise UsageError(
            f"STATE_DICT must be .npz or .safetensors, got {file}, a pickle, which could run code; "
            'convert it where you trust it: python -c "import torch, safetensors.torch as s; '
            f"d = torch.load('{file.name}', map_location='cpu', weights_only=True); "
            "s.save_file({k: v.contiguous() for k, v in d.get('state_dict', d).items()}, "
            "'state.safetensors')\""
        )
    if file.suffix == ".npz":
        return _read_npz(file)
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    raise UsageError(f"STATE_DICT must be a .npz or .safetensors file, got {file}")


def _read_npz(file: Path) -> Arrays:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_STATE_BYTES:
            raise UsageError(f"{file} unpacks to {size} bytes, at most {MAX_STATE_BYTES}")
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except UsageError:
        raise
    except Exception as error:  # zipfile and zlib have errors of their own
        raise UsageError(f"{file} is not a readable .npz file of plain arrays ({error})") from error


def _read_safetensors(file: Path) -> Arrays:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as f:
            return {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise UsageError(f"{file} is not a readable safetensors file ({error})") from error


def import_state(
    state: Arrays,
    name: str,
    *,
    structure: str | None = None,
    activation: str = "hardtanh",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Imported:
    """A registry network with the weights of a PyTorch state dict.

    Args:
        state: PyTorch's names and arrays; prefixes ``module.`` are dropped.
        name: of the registry, e.g. ``"resnet20-w1a1-cifar10"``.
        structure: see :func:`irnet_keras.models.build_model`.
        activation: ``"relu"``: the networks of IR-Net's w1a32 code and torchvision, which have
            ReLU and, if ``structure`` does not say otherwise, a shortcut around every two
            convolutions.
        mean: per channel, of images in 0..1, that the network was trained with; default: this
            project's. The network then rescales its input itself.
        std: as ``mean``.

    Raises:
        UsageError: an unknown network or structure; a name too few, too many, of the wrong
            shape or type; or values that no network has.
    """
    entry = models.get_entry(name)
    named = known_names(state)
    settings: dict[str, Any] = dict(_input_affine(entry.dataset, mean, std))
    if activation != "hardtanh":
        settings |= _relu_settings(entry, activation)
        structure = structure or "normal"
    if entry.network.startswith("resnet"):
        settings["geometry"] = "torch"
        if entry.dataset == "imagenet" and _is_untouched(named, "bn3"):
            # IR-Net's code has bn3, and a hardtanh before the classifier, but does not call them
            settings["head"] = "norm-dense"
            named = {k: v for k, v in named.items() if not k.startswith("bn3.")}
    model = models.build_model(
        entry.network,
        dataset=entry.dataset,
        precision=entry.precision,
        structure=structure or entry.structure,
        settings=settings,
    )
    names, identity_norms = fill(model, named, name)
    config = {
        "name": name,
        "network": entry.network,
        "dataset": entry.dataset,
        "precision": entry.precision,
        "structure": structure or entry.structure,
        "pad_values": 0,
        "settings": settings,
    }
    return Imported(model, config, names, identity_norms, _ambiguous_signs(model))


def fill(model: Any, state: Arrays, network: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Assign PyTorch's weights; kernels of a network that rotates its image are rotated.

    Args:
        model: built by :func:`irnet_keras.models.build_model`; partly changed if this fails.
        state: names as of :func:`known_names`.
        network: what messages call the model.

    Returns:
        PyTorch's module of each layer, and the batch norms that the state has not.

    Raises:
        UsageError: see :func:`import_state`.
    """
    from irnet_keras.layers import Rotate180

    rotate = any(isinstance(layer, Rotate180) for layer in model.layers)
    reader = _Reader(state, network, rotate=rotate)
    for layer in model.layers:
        reader.fill(layer, model)
    reader.check_all_used()
    return reader.names, tuple(reader.identity_norms)


def _relu_settings(entry: models.ModelEntry, activation: str) -> dict[str, Any]:
    """How a network with ReLU differs from ours.

    Raises:
        UsageError: an unknown activation, or a network that has none such.
    """
    place = (entry.network, entry.dataset)
    if activation != "relu":
        raise UsageError(f"--activation must be hardtanh or relu, got {activation!r}")
    if entry.precision == "w1a1" or place not in _RELU:
        known = ", ".join(f"{network}-w1a32-{dataset}" for network, dataset in _RELU)
        raise UsageError(f"--activation relu goes with {known} and float32, not with {place[0]}")
    return {"activation": "relu", **_RELU[place]}


def _input_affine(
    dataset: str, mean: Sequence[float], std: Sequence[float]
) -> dict[str, list[float]]:
    """``(x - mean) / std`` from inputs that were normalized with this project's mean and std."""
    if not mean and not std:
        return {}
    if not DATASETS[dataset].in_memory:  # those share CIFAR-10's mean and deviation
        raise UsageError(f"--mean and --std go with networks for CIFAR, got one for {dataset}")
    for option, values in (("--mean", mean), ("--std", std)):
        if len(values) != 3 or not np.isfinite(values).all():
            raise UsageError(f"{option} must be 3 numbers, of images in 0..1, got {tuple(values)}")
    if min(std) <= 0:
        raise UsageError(f"--std must be 3 numbers > 0, got {tuple(std)}")
    own_mean, own_std = np.array(CIFAR10_MEAN), np.array(CIFAR10_STD)
    scale, offset = own_std / np.array(std), (own_mean - np.array(mean)) / np.array(std)
    return {"input_scale": scale.tolist(), "input_offset": offset.tolist()}


def known_names(state: Arrays) -> Arrays:
    """The state without prefixes ``module.`` and without what only training needs.

    Raises:
        UsageError: an array is there with and without the prefix.
    """
    named: Arrays = {}
    for full, value in state.items():
        key = full.removeprefix("module.")
        if _IGNORED.search(key):
            continue
        if key in named:
            raise UsageError(f"the state has {key} twice, with and without module.")
        named[key] = value
    return named


def _is_untouched(state: Mapping[str, NDArray[Any]], module: str) -> bool:
    """Whether a batch norm is missing, or as PyTorch made it: no image went through it."""
    keys = [f"{module}.{own}" for own in _NORM.values()]
    if not any(key in state for key in keys):
        return True
    start = zip(keys, (1, 0, 0, 1), strict=True)
    return all(key in state and bool((state[key] == value).all()) for key, value in start)


def torch_names(layer: str) -> tuple[str, ...]:
    """PyTorch's names of one of our layers, the first is IR-Net's; empty if it has none."""
    fixed = {
        "stem_conv": ("conv1",),
        "stem_bn": ("bn1",),
        "head_bn": ("bn2",),
        "logits": ("linear", "fc", "classifier"),
        "logits_bn": ("bn3",),
    }
    if layer in fixed:
        return fixed[layer]
    kinds = {"conv": "conv", "bn": "bn"}
    if found := re.fullmatch(r"stage(\d+)_block(\d+)(a|b)_(conv|bn)", layer):
        stage, block, half, kind = found.groups()
        return (f"layer{stage}.{int(block) - 1}.{kinds[kind]}{'ab'.index(half) + 1}",)
    if found := re.fullmatch(r"stage(\d+)_block(\d+)_shortcut_(conv|bn)", layer):
        stage, block, kind = found.groups()
        place = f"layer{stage}.{int(block) - 1}"
        number = 0 if kind == "conv" else 1
        return (f"{place}.shortcut.{number}", f"{place}.downsample.{number}")
    if found := re.fullmatch(r"stage(\d+)(a|b)_(conv|bn)", layer):
        stage, half, kind = found.groups()
        return (f"{kinds[kind]}{2 * (int(stage) - 1) + 'ab'.index(half)}",)
    return ()


class _Reader:
    """Moves arrays from a state dict into layers, and remembers which."""

    def __init__(self, state: Arrays, network: str, *, rotate: bool) -> None:
        self._state = state
        self._network = network
        self._rotate = rotate
        self._used: set[str] = set()
        self.names: dict[str, str] = {}
        self.identity_norms: list[str] = []

    def fill(self, layer: Any, model: Any) -> None:
        """Set the weights of one layer, if it has any."""
        import tensorflow as tf

        names = torch_names(layer.name)
        if not names or not layer.weights:
            return
        optional = layer.name in ("head_bn", "logits_bn")
        if optional and not any(f"{names[0]}.{own}" in self._state for own in _NORM.values()):
            self._make_identity(layer)
            return
        module = next((n for n in names if f"{n}.weight" in self._state), None)
        if module is None:
            wanted = " or ".join(f"{n}.weight" for n in names)
            raise UsageError(
                f"the state lacks {wanted}, which {self._network} needs for {layer.name}"
            )
        self.names[layer.name] = module
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            self._fill_norm(layer, module)
        elif isinstance(layer, tf.keras.layers.Dense):
            self._fill_dense(layer, module, model)
        else:
            height, width, channels, filters = (int(n) for n in layer.kernel.shape)
            kernel = self._take(f"{module}.weight", (filters, channels, height, width))
            if self._rotate:
                kernel = kernel[:, :, ::-1, ::-1]
            layer.kernel.assign(np.transpose(kernel, (2, 3, 1, 0)))

    def check_all_used(self) -> None:
        """Refuse a state with more than the network has."""
        surplus = sorted(set(self._state) - self._used)
        if surplus:
            raise UsageError(
                f"the state has {surplus[0]} (and {len(surplus) - 1} more), for which "
                f"{self._network} has no place; accepted: {len(self._used)} arrays such as "
                f"{', '.join(sorted(self._used)[:3])}, and num_batches_tracked, k, t"
            )

    def _take(self, key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if key not in self._state:
            raise UsageError(f"the state lacks {key}, which {self._network} needs")
        self._used.add(key)
        value = self._state[key]
        if value.shape != shape:
            raise UsageError(
                f"{key} must have shape {shape} for {self._network}, got {value.shape}"
            )
        if value.dtype not in (np.float16, np.float32, np.float64):
            raise UsageError(f"{key} must be float16, float32 or float64, got {value.dtype}")
        with np.errstate(over="ignore"):
            result = value.astype(np.float32)
        if not np.isfinite(result).all():
            raise UsageError(f"{key} must be finite, it has {(~np.isfinite(result)).sum()} others")
        return result

    def _fill_norm(self, layer: Any, module: str) -> None:
        shape = tuple(int(n) for n in layer.gamma.shape)
        values = {own: self._take(f"{module}.{own}", shape) for own in _NORM.values()}
        variance = values["running_var"]
        if (variance < 0).any():
            raise UsageError(f"{module}.running_var must not be negative, got {variance.min():g}")
        self._assign_norm(layer, [values[own] for own in _NORM.values()])

    def _assign_norm(self, layer: Any, values: Sequence[NDArray[np.float32]]) -> None:
        own = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        for variable, value in zip(own, values, strict=True):
            variable.assign(value)

    def _make_identity(self, layer: Any) -> None:
        ones = np.ones(layer.gamma.shape, np.float32)
        # (1 - epsilon) + epsilon is 1 in float32
        self._assign_norm(layer, [ones, 0 * ones, 0 * ones, (1 - _EPSILON) * ones])
        self.identity_norms.append(layer.name)

    def _fill_dense(self, layer: Any, module: str, model: Any) -> None:
        inputs, units = (int(n) for n in layer.kernel.shape)
        weights = self._take(f"{module}.weight", (units, inputs))
        flatten = [m for m in model.layers if m.name == "flatten"]
        if flatten:
            # PyTorch flattens (channels, height, width), Keras (height, width, channels)
            height, width, channels = (int(n) for n in flatten[0].input_shape[1:])
            planes = weights.reshape(units, channels, height, width)
            weights = np.transpose(planes, (0, 2, 3, 1)).reshape(units, inputs)
        layer.kernel.assign(weights.T)
        layer.bias.assign(self._take(f"{module}.bias", (units,)))


def _ambiguous_signs(model: Any) -> int:
    """Binary weights with another sign than the same formula has in float64."""
    count = 0
    for layer in model.layers:
        quantizer = getattr(layer, "kernel_quantizer", None)
        if quantizer is None:
            continue
        latent = np.asarray(layer.kernel, np.float64)
        centred = latent - latent.mean(axis=(0, 1, 2))
        quantized = np.asarray(quantizer(np.asarray(layer.kernel)))
        count += int(((quantized >= 0) != (centred >= 0)).sum())
    return count
