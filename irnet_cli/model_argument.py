"""The MODEL argument that several verbs share."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irnet_cli.output import import_tensorflow
from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from irnet_keras.models.resolve import ResolvedModel

ModelArgument = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="Registry name, weights or Keras file, or SavedModel."),
]
UntrainedOption = Annotated[
    bool,
    typer.Option("--untrained", help="Random weights, the same every time (registry names only)."),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Registry or recipe name: read only weights from MODEL, a Keras file or SavedModel.",
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option("--trust", help="Let Keras run code that MODEL may contain."),
]
ImageSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Height and width of the input of a network that enlarges images; default 128x128.",
    ),
]
UNTRAINED_SEED = 0
REPRESENTATIVE = 32  # images of the size of a network that enlarges them


def load_model(
    spec: str,
    *,
    untrained: bool,
    network: str | None = None,
    trust: bool = False,
    image_size: tuple[int, int] | None = None,
) -> "ResolvedModel":
    """Resolve MODEL; untrained ones are seeded, so that two commands mean the same network.

    Args:
        spec: MODEL.
        untrained: random weights.
        network: registry or recipe name where MODEL has weights only.
        trust: let Keras run code that MODEL contains.
        image_size: (height, width) of the input of a network that enlarges images.

    Raises:
        UsageError: MODEL cannot be loaded, or ``image_size`` does not go with it.
    """
    import_tensorflow()
    import tensorflow as tf

    from irnet_keras.models.resolve import resolve_model

    if untrained:
        tf.keras.utils.set_random_seed(UNTRAINED_SEED)
    resolved = resolve_model(spec, untrained=untrained, network=network, trust=trust)
    return resolved if image_size is None else sized(resolved, image_size)


def sized(resolved: "ResolvedModel", image_size: tuple[int, int] | None = None) -> "ResolvedModel":
    """The model with a known height and width of its input.

    Args:
        resolved: where it is known already and ``image_size`` None, the result.
        image_size: default for networks that enlarge images: of their data set.

    Raises:
        UsageError: ``image_size`` for another kind of network.
    """
    from irnet_keras.models.networks import DATASETS
    from irnet_keras.models.sizes import enlargement, with_image_size

    shape = tuple(resolved.model.input_shape[1:3])
    wanted = image_size or (DATASETS["div2k"].image[:2] if None in shape else shape)
    if wanted == shape or (image_size is None and enlargement(resolved.model) is None):
        return resolved
    if enlargement(resolved.model) is None:
        raise UsageError(
            f"--image-size goes with networks that enlarge images, not {resolved.name}"
        )
    return dataclasses.replace(resolved, model=with_image_size(resolved.model, *wanted))


def representative(resolved: "ResolvedModel") -> Any:
    """Shipped images as a network that enlarges images takes them; None for other networks."""
    from irnet_keras.data.resizing import fitted
    from irnet_keras.data.sample import load_sample
    from irnet_keras.data.upscaling import to_input
    from irnet_keras.models.sizes import enlargement

    if enlargement(resolved.model) is None:
        return None
    images = fitted(load_sample().calibration, tuple(resolved.model.input_shape[1:]))
    return to_input(images.images[:REPRESENTATIVE])


def refuse_model_options(spec: str, *, untrained: bool, network: str | None, trust: bool) -> None:
    """Refuse the options of :func:`load_model` beside a ``.tflite`` file.

    Raises:
        UsageError: naming the first one given.
    """
    if untrained:
        raise UsageError(f"--untrained goes with a registry name, not with the file {spec!r}")
    for name, given in [("--model", network is not None), ("--trust", trust)]:
        if given:
            raise UsageError(f"{name} goes with a Keras file or SavedModel, not with {spec!r}")
