"""Print the table of docs/explanation/networks.md: ``python tools/count_networks.py``."""

from collections.abc import Iterator

from irnet_keras import models
from irnet_keras.models.counting import count
from irnet_keras.models.networks import NETWORKS

OPTIONS = {
    "stem=3x3-3x3": {"stem": "3x3-3x3"},
    "downsample=binary": {"downsample": "binary"},
    "both": {"stem": "3x3-3x3", "downsample": "binary"},
}


def rows() -> Iterator[str]:
    """Rows of w1a1 classifiers; those of CIFAR-100 differ in their classifier only."""
    for network, dataset in NETWORKS:
        if dataset in ("cifar10", "imagenet"):
            yield row(network, network, dataset)
    for title, options in OPTIONS.items():
        yield row(f"resnet18, {title}", "resnet18", "imagenet", **options)


def row(title: str, network: str, dataset: str, **options: str) -> str:
    """One network."""
    structures = NETWORKS[network, dataset].structures
    config = {"network": network, "dataset": dataset, "precision": "w1a1", "pad_values": 0}
    made = models.network_options({**config, "structure": structures[0], **options})
    c = count(models.build_model(**made))
    macs = f"{c.float_macs / 1e6:,.2f} | {c.binary_macs / 1e6:,.1f} | {c.ops / 1e6:,.2f}"
    return (
        f"| {title} | {dataset} | {', '.join(structures)} | {c.params:,} | {c.binary_params:,} "
        f"| {macs} |"
    )


if __name__ == "__main__":
    print(*rows(), sep="\n")
