"""Options that choose what runs a ``.tflite`` file."""

from typing import Annotated

import typer

RuntimeOption = Annotated[
    str,
    typer.Option(
        "--runtime",
        help="auto, delegate (LiteRT with lce_delegate, what auto takes) or lce (Larq Compute "
        "Engine's own interpreter), for files with Larq operators; others run in LiteRT.",
    ),
]
RuntimesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--runtime",
        help="auto, delegate (LiteRT with lce_delegate, what auto takes) or lce (Larq Compute "
        "Engine's own interpreter), for files with Larq operators; others run in LiteRT. Given "
        "twice, such files are timed in both.",
    ),
]
KernelOption = Annotated[
    str,
    typer.Option(
        "--kernel", help="Kernel set of the delegate, e.g. avx512, avx2, neon, scalar; or auto."
    ),
]
