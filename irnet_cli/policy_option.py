"""Options that say what a ``.tflite`` file may cost and hold before it is run."""

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

import typer

from irnet_keras.errors import UsageError

if TYPE_CHECKING:
    from converters.untrusted import Policy

FileLimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--file-limit",
        metavar="NAME=NUMBER",
        help="Another limit of what a file may cost: file-mib (default 512), tensor-mib (256), "
        "memory-mib (1024), ops (5000) or gmacs (40). Repeatable.",
    ),
]
AllowOpOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-op",
        metavar="NAME",
        help="Accept this operator, too, although no rule checks it. Repeatable.",
    ),
]


def policy(limits: list[str] | None, allowed_ops: list[str] | None) -> "Policy":
    """The policy of these options.

    Raises:
        UsageError: an unknown limit, or a value that is not a number above 0.
    """
    from converters.untrusted import Policy

    names = [field.name.replace("_", "-") for field in fields(Policy)]
    names.remove("allowed-ops")
    values: dict[str, float] = {}
    for text in limits or []:
        name, _, number = text.partition("=")
        if name not in names:
            accepted = ", ".join(names)
            raise UsageError(f"--file-limit must be NAME=NUMBER, NAME of {accepted}; got {text!r}")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise UsageError(f"--file-limit {name} must be a number above 0, got {number!r}")
        values[name.replace("-", "_")] = value
    return Policy(**values, allowed_ops=frozenset(allowed_ops or ()))
