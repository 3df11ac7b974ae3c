"""The FILE_OR_MODEL argument: a ``.tflite`` file, or what is converted to one first."""

from pathlib import Path
from typing import TYPE_CHECKING

from irnet_cli.model_argument import load_model, refuse_model_options, sized
from irnet_cli.output import log

if TYPE_CHECKING:
    from converters.graph import Graph


def load_graph(
    file_or_model: str, *, untrained: bool, network: str | None, trust: bool
) -> "tuple[Graph, str]":
    """The graph of a file or of a converted model, and what messages call it.

    Raises:
        UsageError: neither can be read, or options that do not go with it.
    """
    from converters.graph import read_graph

    if is_file(file_or_model):
        refuse_model_options(file_or_model, untrained=untrained, network=network, trust=trust)
        return read_graph(file_or_model), file_or_model
    from converters.lce import convert

    resolved = sized(load_model(file_or_model, untrained=untrained, network=network, trust=trust))
    log(f"converting {resolved.name}")
    # explain what comes out, whatever it is: findings are on stderr
    return read_graph(convert(resolved.model, log, strict=False).data), resolved.name


def is_file(spec: str) -> bool:
    """Whether an argument means a ``.tflite`` file rather than a model."""
    path = Path(spec)
    if path.suffix.lower() == ".tflite":
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == b"TFL3"
