"""The MODEL argument that several verbs share."""

from typing import TYPE_CHECKING, Annotated

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
UNTRAINED_SEED = 0


def load_model(
    spec: str, *, untrained: bool, network: str | None = None, trust: bool = False
) -> "ResolvedModel":
    """Resolve MODEL; untrained ones are seeded, so that two commands mean the same network."""
    import_tensorflow()
    import tensorflow as tf

    from irnet_keras.models.resolve import resolve_model

    if untrained:
        tf.keras.utils.set_random_seed(UNTRAINED_SEED)
    return resolve_model(spec, untrained=untrained, network=network, trust=trust)


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
