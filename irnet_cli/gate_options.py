"""Limits that ``irnet bench`` ends with status 1 for."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge_bench.gates import Gates

MinAccuracyOption = Annotated[
    float | None,
    typer.Option(help="Fail if a build but the first is less accurate, 0 to 1; needs --data."),
]
MaxLatencyOption = Annotated[
    float | None,
    typer.Option("--max-latency-ms", help="Fail if the median of a build but the first is more."),
]
MaxSizeOption = Annotated[
    float | None,
    typer.Option("--max-size-mb", help="Fail if a build but the first is larger, 10^6 bytes."),
]
MinSpeedupOption = Annotated[
    float | None,
    typer.Option(help="Fail if a build is not so many times as fast as the first."),
]


def gates(
    min_accuracy: float | None,
    max_latency_ms: float | None,
    max_size_mb: float | None,
    min_speedup: float | None,
    *,
    files: int,
    scored: bool,
) -> "Gates":
    """The limits of these options.

    Raises:
        UsageError: a bad limit, or one that cannot be judged.
    """
    from edge_bench.gates import Gates
    from irnet_keras.errors import UsageError

    if min_accuracy is not None and not scored:
        raise UsageError("--min-accuracy needs --data")
    if min_speedup is not None and files < 2:
        raise UsageError("--min-speedup needs a second file: the first is the reference")
    return Gates(min_accuracy, max_latency_ms, max_size_mb, min_speedup)
