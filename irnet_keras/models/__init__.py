"""Networks by name, with shipped weights where they exist. Importing this is cheap."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from irnet_keras.errors import UsageError
from irnet_keras.files import sha256_file
from irnet_keras.models.networks import DATASETS, NETWORKS, PRECISIONS, Network
from irnet_keras.near import accepted

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class Weights:
    """Weights in the package.

    Attributes:
        file: name in the package's ``weights`` folder.
        sha256: of that file.
        test_accuracy: on all test images of the data set, 0..1; None of super-resolution.
        test_psnr: of super-resolution: mean over the test images, on luma, in dB.
        bicubic_psnr: the same of bicubic enlargement.
    """

    file: str
    sha256: str
    test_accuracy: float | None = None
    test_psnr: float | None = None
    bicubic_psnr: float | None = None


WEIGHTS: dict[str, Weights] = {
    "resnet20-w1a1-cifar10": Weights(
        "resnet20-w1a1-cifar10.safetensors",
        "3a8df2e97fa14e8cfc70ba9bfbc0819237d5942794815d4635de573b781967f1",
        test_accuracy=0.8221,
    ),
    "resnet20-float32-cifar10": Weights(
        "resnet20-float32-cifar10.safetensors",
        "b08e13996d65ebab58173949a61e9c8e40c1d4de4f5377db7258ef70c7033953",
        test_accuracy=0.8601,
    ),
    "resnet20-w1a32-cifar10": Weights(
        "resnet20-w1a32-cifar10.safetensors",
        "c9636da9ff290b028b0c3bdcdafe66e5946e9d57101f8495d887c8cc54dac8f3",
        test_accuracy=0.8519,
    ),
    "vgg-small-w1a1-cifar10": Weights(
        "vgg-small-w1a1-cifar10.safetensors",
        "fd0609b7b94e0c89ef0ec76daeaddbbc98661a6874d5b93d2e3e072eaf3db6f6",
        test_accuracy=0.8007,
    ),
    "srresnet-lite-x2-w1a1": Weights(
        "srresnet-lite-x2-w1a1.safetensors",
        "d0046b8284379e1ddc0ee4bc00902d8f764f6f991fa5fab0159c72b923ba7414",
        test_psnr=33.5757,
        bicubic_psnr=32.1583,
    ),
}


@dataclass(frozen=True)
class ModelEntry:
    """A network of the registry.

    Attributes:
        network: family member, e.g. ``"resnet20"``.
        precision: ``"w1a1"``, ``"w1a32"`` or ``"float32"``.
        dataset: what the weights were trained on and the inputs look like.
        structure: ``"bireal"``, ``"normal"`` or ``"plain"``.
        weights: file name in the package's ``weights`` folder, or None.
        sha256: of that file.
        test_accuracy: on all test images of the data set, 0..1, or None.
        test_psnr: see :class:`Weights`.
        bicubic_psnr: see :class:`Weights`.
    """

    network: str
    precision: str
    dataset: str
    structure: str
    weights: str | None = None
    sha256: str | None = None
    test_accuracy: float | None = None
    test_psnr: float | None = None
    bicubic_psnr: float | None = None


def _registry() -> dict[str, ModelEntry]:
    entries: dict[str, ModelEntry] = {}
    for (network, dataset), made in NETWORKS.items():
        for precision in PRECISIONS:
            name = f"{network}-{precision}-{dataset}"
            if DATASETS[dataset].super_resolution:  # the data set changes nothing of the network
                name = f"{network}-{precision}"
            w = WEIGHTS.get(name)
            shipped = dataclasses.asdict(w) if w else {}
            weights = shipped.pop("file", None)
            entry = ModelEntry(network, precision, dataset, made.structures[0], weights, **shipped)
            entries.setdefault(name, entry)
    return entries


MODELS: dict[str, ModelEntry] = _registry()


def get_network(network: str, dataset: str) -> Network:
    """How a network for a data set is built.

    Raises:
        UsageError: there is none such; the message lists those there are.
    """
    if dataset not in DATASETS:
        raise UsageError(f"unknown data set {dataset!r}; {accepted(dataset, DATASETS)}")
    if (network, dataset) not in NETWORKS:
        known = [n for n, d in NETWORKS if d == dataset]
        raise UsageError(f"unknown network {network!r} for {dataset!r}; {accepted(network, known)}")
    return NETWORKS[network, dataset]


def check_structure(network: str, dataset: str, structure: str) -> None:
    """Refuse a structure the network does not have.

    Raises:
        UsageError: naming those it has.
    """
    structures = get_network(network, dataset).structures
    if structure not in structures:
        raise UsageError(
            f"structure of {network} must be one of {', '.join(structures)}, got {structure!r}"
        )


_DOWNSAMPLE = {"float": "conv1x1", "binary": "binary-conv1x1"}


def network_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a training configuration says about its network, as :func:`build_model` takes it.

    Args:
        config: fields of :class:`irnet_keras.training.config.TrainConfig`; of those that came
            with time a part may be missing.

    Raises:
        UsageError: unknown network or data set, or an option that the network does not have.
        KeyError: a field is missing.
    """
    network, dataset = config["network"], config.get("dataset", "cifar10")
    made = get_network(network, dataset)
    settings: dict[str, Any] = {}
    stem, downsample, size = (config.get(key) for key in ("stem", "downsample", "image_size"))
    if stem is not None:
        if made.settings.get("stem") != "7x7-pool":
            raise UsageError(f"stem must be none for {network} on {dataset}, got {stem!r}")
        settings["stem"] = stem
    if downsample is not None:
        if made.settings.get("shortcut") not in _DOWNSAMPLE.values():
            raise UsageError(
                f"downsample must be none for {network}, which has no 1x1 convolutions; "
                f"got {downsample!r}"
            )
        settings["shortcut"] = _DOWNSAMPLE[downsample]
    image: tuple[int | None, int | None, int] | None = None
    if DATASETS[dataset].super_resolution:
        if size:
            raise UsageError(f"image_size must be none for {network}, which takes any; got {size}")
        image = (None, None, DATASETS[dataset].image[2])
    elif size:
        image = (size, size, DATASETS[dataset].image[2])
    return {
        "network": network,
        "dataset": dataset,
        "precision": config["precision"],
        "structure": config["structure"],
        "pad_values": config["pad_values"],
        "num_classes": config.get("num_classes"),
        "image": image,
        "settings": settings,
    }


def build_model(
    network: str,
    *,
    dataset: str = "cifar10",
    precision: str = "w1a1",
    structure: str | None = None,
    pad_values: int = 0,
    num_classes: int | None = None,
    image: tuple[int | None, int | None, int] | None = None,
    weight_decay: float = 0.0,
    residual_gamma: float = 1.0,
    compute: str = "float32",
    t: float = 1e-1,
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """An untrained Keras model.

    Args:
        network: of ``NETWORKS``.
        dataset: of ``NETWORKS``; networks of one name differ between data sets.
        precision: ``"w1a1"``, ``"w1a32"`` or ``"float32"``.
        structure: ``"bireal"``, ``"normal"`` or ``"plain"``; default: the network's usual one.
        pad_values: 0 or 1, SAME padding of the binary convolutions.
        num_classes: width of the classifier; default: the data set's.
        image: (height, width, channels) of the input; default: the data set's. Height and width
            may be None (open) in networks for super-resolution.
        weight_decay: L2 on float kernels.
        residual_gamma: initial batch-norm scale of the inner convolutions.
        compute: what inner convolutions multiply while training, ``"float32"`` or
            ``"bfloat16"``; inference is float32 in both.
        t: initial sharpness of the EDE gradient.
        settings: further fields of the network's configuration, in place of the network's own.

    Raises:
        UsageError: unknown network, or a structure that it does not have.
        TypeError: a setting that the network's configuration does not have.
        ValueError: a value the network's configuration refuses.
    """
    made = get_network(network, dataset)
    structure = structure or made.structures[0]
    check_structure(network, dataset, structure)
    module = import_module(f"irnet_keras.models.{made.module}")
    fields = {**made.settings, **(settings or {})}
    if len(made.structures) > 1:
        fields["structure"] = structure
    if not DATASETS[dataset].super_resolution:
        fields["num_classes"] = num_classes or DATASETS[dataset].num_classes
    config = getattr(module, made.config)(
        **fields,
        precision=precision,
        pad_values=pad_values,
        image=image or DATASETS[dataset].image,
        t=t,
    )
    return module.build(
        config,
        weight_decay=weight_decay,
        residual_gamma=residual_gamma,
        compute=compute,
        name=f"{network.replace('-', '_')}_{precision}",
    )


def get_entry(name: str) -> ModelEntry:
    """The registry's entry.

    Raises:
        UsageError: unknown name; the message lists the known ones.
    """
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}; {accepted(name, MODELS)}")
    return MODELS[name]


def weights_path(name: str) -> Path:
    """The shipped weights file of a registry model, verified.

    Raises:
        UsageError: unknown name, no weights shipped, or the file does not match its SHA-256.
    """
    entry = get_entry(name)
    if entry.weights is None:
        raise UsageError(f"{name} has no shipped weights; use --untrained or train it")
    path = WEIGHTS_FOLDER / entry.weights
    if not path.is_file() or sha256_file(path) != entry.sha256:
        raise UsageError(f"{path} is missing or does not match its SHA-256; reinstall the package")
    return path


def load(name: str, *, pretrained: bool = True) -> Any:
    """A registry model as a Keras model.

    Args:
        name: e.g. ``"resnet20-w1a1-cifar10"``.
        pretrained: load the shipped weights (SHA-256 checked); otherwise random ones.

    Raises:
        UsageError: unknown name, or no weights shipped.
    """
    entry = get_entry(name)
    path = weights_path(name) if pretrained else None
    model = build_model(
        entry.network,
        dataset=entry.dataset,
        precision=entry.precision,
        structure=entry.structure,
    )
    if path is not None:
        from irnet_keras.models.weights import load_weights

        load_weights(model, path)
    return model
