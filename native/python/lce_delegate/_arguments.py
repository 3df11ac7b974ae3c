"""Arguments of ``python -m lce_delegate``."""

import argparse
import contextlib
import sys
from typing import Any, NoReturn, Optional

from lce_delegate import _version
from lce_delegate._errors import UsageError
from lce_delegate._files import STDOUT
from lce_delegate._load import EXACTNESS, MAX_THREADS


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage."""
        raise UsageError(" ".join(message.removeprefix("argument ").split()))

    def _print_message(self, message: str, file: Any = None) -> None:
        """As in argparse, which ignores a stdout that cannot be written."""
        (file or sys.stderr).write(message)


def parser() -> argparse.ArgumentParser:
    """Of ``python -m lce_delegate``; ``command`` of its result names the command."""
    made = _Parser(
        prog="python -m lce_delegate",
        description="Larq Compute Engine operators in stock LiteRT.",
    )
    made.add_argument("--version", action="version", version=f"lce_delegate {_version()}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("info", help="what the library and this CPU can do")
    _add_json(command)

    command = commands.add_parser("run", help="run a model once and show its outputs")
    command.add_argument("model", metavar="MODEL", help=".tflite file")
    command.add_argument(
        "--input", action="append", metavar="FILE.npy", help="one per input, in the model's order "
        "(default: random, see --seed)",
    )  # fmt: skip
    command.add_argument(
        "--output", action="append", metavar="FILE.npy", help="one per output, in the model's order"
    )
    _add_options(command)
    _add_json(command)

    command = commands.add_parser("predict", help="run a model on each of many inputs")
    command.add_argument("model", metavar="MODEL", help=".tflite file with one input")
    command.add_argument(
        "--input", required=True, metavar="FILE.npy", help="inputs of batch 1, stacked"
    )
    command.add_argument(
        "--output", required=True, metavar="FILE.npy", help="first outputs, stacked"
    )
    _add_options(command)
    _add_json(command)

    command = commands.add_parser("bench", help="time a model on random inputs")
    command.add_argument("model", metavar="MODEL", help=".tflite file")
    _add_integer(command, "--runs", 50, 1, help="samples (default: %(default)s)")
    _add_integer(command, "--warmup", 10, 0, help="runs before the first (default: %(default)s)")
    command.add_argument("--profile", action="store_true", help="also time each operator")
    _add_options(command)
    _add_json(command)
    return made


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", metavar="FILE", help=f"write JSON to FILE; {STDOUT}: to stdout")


def _add_options(command: argparse.ArgumentParser) -> None:
    _add_integer(
        command, "--threads", 1, 1, MAX_THREADS, help=f"1 to {MAX_THREADS} (default: %(default)s)"
    )
    command.add_argument("--kernel", default="auto", help="kernel set (default: %(default)s)")
    command.add_argument("--no-fusion", action="store_true", help="merge no operators")
    command.add_argument(
        "--exactness", choices=EXACTNESS, default="lce", help="default: %(default)s"
    )
    _add_integer(command, "--seed", 0, 0, help="of random inputs (default: %(default)s)")


def _add_integer(
    command: argparse.ArgumentParser,
    name: str,
    default: int,
    least: int,
    most: Optional[int] = None,
    *,
    help: str,
) -> None:
    accepted = f"an integer of at least {least}"
    if most is not None:
        accepted = f"an integer from {least} to {most}"

    def convert(text: str) -> int:
        with contextlib.suppress(ValueError):
            value = int(text)
            if least <= value and (most is None or value <= most):
                return value
        raise argparse.ArgumentTypeError(f"must be {accepted}, got {text!r}")

    command.add_argument(name, type=convert, default=default, help=help)
