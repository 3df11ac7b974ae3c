"""Networks by name, with shipped weights where they exist. Importing this is cheap."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irnet_keras.errors import UsageError
from irnet_keras.files import sha256_file

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class ModelEntry:
    """A network of the registry.

    Attributes:
        network: family member, e.g. ``"resnet20"``.
        precision: ``"w1a1"``, ``"w1a32"`` or ``"float32"``.
        dataset: what the weights were trained on and the inputs look like.
        structure: see :class:`irnet_keras.models.resnet_cifar.ResNetConfig`.
        weights: file name in the package's ``weights`` folder, or None.
        sha256: of that file.
        test_accuracy: on all test images of the data set, 0..1, or None.
    """

    network: str
    precision: str
    dataset: str
    structure: str = "bireal"
    weights: str | None = None
    sha256: str | None = None
    test_accuracy: float | None = None


MODELS: dict[str, ModelEntry] = {
    "resnet20-w1a1-cifar10": ModelEntry(
        "resnet20",
        "w1a1",
        "cifar10",
        weights="resnet20-w1a1-cifar10.safetensors",
        sha256="a9798b8994160de8a4f6635a631e27c6ccf02e9875501061f875085ed119f346",
        test_accuracy=0.79,
    ),
    "resnet20-w1a32-cifar10": ModelEntry("resnet20", "w1a32", "cifar10"),
    "resnet20-float32-cifar10": ModelEntry(
        "resnet20",
        "float32",
        "cifar10",
        weights="resnet20-float32-cifar10.safetensors",
        sha256="b08e13996d65ebab58173949a61e9c8e40c1d4de4f5377db7258ef70c7033953",
        test_accuracy=0.8601,
    ),
}

NETWORK_BLOCKS = {"resnet20": 3}


def build_model(
    network: str,
    *,
    precision: str = "w1a1",
    structure: str = "bireal",
    pad_values: int = 0,
    num_classes: int = 10,
    image: tuple[int, int, int] = (32, 32, 3),
    weight_decay: float = 0.0,
    residual_gamma: float = 1.0,
    t: float = 1e-1,
) -> Any:
    """An untrained Keras model.

    Args:
        network: one of ``NETWORK_BLOCKS``.
        precision: ``"w1a1"``, ``"w1a32"`` or ``"float32"``.
        structure: ``"bireal"`` or ``"normal"``.
        pad_values: 0 or 1, SAME padding of the binary convolutions.
        num_classes: width of the classifier.
        image: (height, width, channels) of the input.
        weight_decay: L2 on float kernels.
        residual_gamma: initial batch-norm scale of the inner convolutions.
        t: initial sharpness of the EDE gradient.

    Raises:
        UsageError: unknown network.
        ValueError: a value the network's configuration refuses.
    """
    from irnet_keras.models.resnet_cifar import ResNetConfig, build

    if network not in NETWORK_BLOCKS:
        raise UsageError(f"unknown network {network!r}; accepted: {', '.join(NETWORK_BLOCKS)}")
    config = ResNetConfig(
        blocks=NETWORK_BLOCKS[network],
        structure=structure,
        precision=precision,
        pad_values=pad_values,
        num_classes=num_classes,
        image=image,
        t=t,
    )
    return build(
        config,
        weight_decay=weight_decay,
        residual_gamma=residual_gamma,
        name=f"{network}_{precision}",
    )


def get_entry(name: str) -> ModelEntry:
    """The registry's entry.

    Raises:
        UsageError: unknown name; the message lists the known ones.
    """
    if name not in MODELS:
        raise UsageError(f"unknown model {name!r}; accepted: {', '.join(MODELS)}")
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
    model = build_model(entry.network, precision=entry.precision, structure=entry.structure)
    if path is not None:
        from irnet_keras.models.weights import load_weights

        load_weights(model, path)
    return model
