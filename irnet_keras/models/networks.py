"""The networks and data sets of the registry, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Network:
    """How a network is built.

    Attributes:
        module: of this package, with ``build``.
        config: name of the configuration class in it.
        settings: fields of that class that make it this network.
        structures: what it can be built as, the usual one first.
    """

    module: str
    config: str
    settings: Mapping[str, Any]
    structures: tuple[str, ...] = ("bireal", "normal")


@dataclass(frozen=True)
class Dataset:
    """What a data set asks of a network.

    Attributes:
        num_classes: classes of its labels; 0 without labels.
        image: (height, width, channels) that networks take; for super-resolution the size that
            files are converted to where nothing else is said.
        tfds: its name in tensorflow-datasets, None for one that is not there.
        in_memory: whether its images, all of that size, are held in memory for training.
        super_resolution: its networks enlarge images instead of naming them.
    """

    num_classes: int
    image: tuple[int, int, int]
    tfds: str | None
    in_memory: bool = True
    super_resolution: bool = False


PRECISIONS = ("w1a1", "w1a32", "float32")

DATASETS: dict[str, Dataset] = {
    "cifar10": Dataset(10, (32, 32, 3), "cifar10"),
    "cifar100": Dataset(100, (32, 32, 3), "cifar100"),
    "imagenet": Dataset(1000, (224, 224, 3), "imagenet2012", in_memory=False),
    "photos": Dataset(0, (128, 128, 3), None, in_memory=False, super_resolution=True),
    "div2k": Dataset(0, (128, 128, 3), "div2k", in_memory=False, super_resolution=True),
}


def _resnet(structures: tuple[str, ...] = ("bireal", "normal"), **settings: Any) -> Network:
    return Network("resnet", "ResNetConfig", settings, structures)


_WIDE: dict[str, Any] = {"widths": (64, 128, 256, 512), "shortcut": "conv1x1"}
_IMAGENET: dict[str, Any] = {**_WIDE, "stem": "7x7-pool", "head": "norm-hardtanh-dense-norm"}
_CIFAR: dict[str, Network] = {
    "resnet20": _resnet(blocks=(3, 3, 3)),
    "resnet32": _resnet(blocks=(5, 5, 5)),
    "resnet44": _resnet(blocks=(7, 7, 7)),
    "resnet56": _resnet(blocks=(9, 9, 9)),
    "vgg-small": Network("vgg_small", "VGGSmallConfig", {}, ("plain",)),
    "resnet18": _resnet(("normal", "bireal"), blocks=(2, 2, 2, 2), stem="3x3", **_WIDE),
}
_ENLARGING: dict[str, Network] = {
    f"srresnet-lite-x{scale}": Network(
        "srresnet_lite", "SRResNetLiteConfig", {"scale": scale}, ("bireal",)
    )
    for scale in (2, 4)
}
# Same name, other data set, other network: ResNet-18 of CIFAR has another stem than ImageNet's.
NETWORKS: dict[tuple[str, str], Network] = {
    **{(name, data): made for data in ("cifar10", "cifar100") for name, made in _CIFAR.items()},
    ("resnet18", "imagenet"): _resnet(blocks=(2, 2, 2, 2), **_IMAGENET),
    ("resnet34", "imagenet"): _resnet(blocks=(3, 4, 6, 3), **_IMAGENET),
    **{(name, data): made for data in ("photos", "div2k") for name, made in _ENLARGING.items()},
}
