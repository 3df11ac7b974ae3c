"""The MODEL argument that several verbs share."""

from typing import TYPE_CHECKING, Annotated

import typer

from irnet_cli.output import import_tensorflow

if TYPE_CHECKING:
    from irnet_keras.models.resolve import ResolvedModel

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Registry name, weights file or SavedModel.")
]
UntrainedOption = Annotated[
    bool,
    typer.Option("--untrained", help="Random weights, the same every time (registry names only)."),
]
UNTRAINED_SEED = 0


def load_model(spec: str, *, untrained: bool) -> "ResolvedModel":
    """Resolve MODEL; untrained ones are seeded, so that two commands mean the same network."""
    import_tensorflow()
    import tensorflow as tf

    from irnet_keras.models.resolve import resolve_model

    if untrained:
        tf.keras.utils.set_random_seed(UNTRAINED_SEED)
    return resolve_model(spec, untrained=untrained)
