"""Results on stdout, everything else on stderr."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from irnet_keras.files import atomic_write

JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the result as JSON to this file, - for stdout.")
]


def log(line: str) -> None:
    """A progress line or warning, on stderr."""
    print(line, file=sys.stderr, flush=True)


def write_json(path: Path | None, value: Any) -> bool:
    """Write ``value`` where ``--json`` asks for it; True if that was stdout."""
    if path is None:
        return False
    text = json.dumps(value, indent=2) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return True
    atomic_write(path, text)
    return False
