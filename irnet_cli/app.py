"""The command tree; errors become one line and an exit status."""

import errno
import os
import sys
from typing import NoReturn

import typer

from irnet_cli.commands import data, device
from irnet_cli.commands.android_assets import android_assets
from irnet_cli.commands.baseline import baseline
from irnet_cli.commands.bench import bench
from irnet_cli.commands.compare import compare
from irnet_cli.commands.convert import convert
from irnet_cli.commands.doctor import doctor
from irnet_cli.commands.eval import eval_
from irnet_cli.commands.explain import explain
from irnet_cli.commands.import_torch import import_torch
from irnet_cli.commands.inspect import inspect
from irnet_cli.commands.models import models
from irnet_cli.commands.quickstart import quickstart
from irnet_cli.commands.report import report
from irnet_cli.commands.train import train
from irnet_cli.commands.verify import verify
from irnet_cli.commands.verify_file import verify_file
from irnet_keras.errors import IrnetError

INTERRUPTED = 130
# Files raise UsageError when they cannot be written, see irnet_keras.files.
_STDOUT_ERRORS = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT)

app = typer.Typer(
    name="irnet",
    help="1-bit neural networks from Keras to phones and small boards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(quickstart)
app.add_typer(data.app, name="data")
app.command()(train)
app.command("eval")(eval_)
app.command()(convert)
app.command()(baseline)
app.command()(explain)
app.command()(inspect)
app.command()(import_torch)
app.command()(verify)
app.command()(verify_file)
app.command()(bench)
app.command()(compare)
app.command()(doctor)
app.add_typer(device.app, name="device")
app.command()(report)
app.command()(models)
app.command()(android_assets)


def run() -> None:
    """Run the command line.

    Exit status 0 done, 1 a check failed, 2 usage or unreadable input, 130 interrupted.
    """
    try:
        status = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except typer.TyperException as error:  # wrong option, missing argument, ...
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            sys.exit(2)
        _fail(error.format_message(), 2)
    except IrnetError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, e.g. head
        _discard_stdout()
        sys.exit(1)
    except OSError as error:
        if error.filename is not None or error.errno not in _STDOUT_ERRORS:
            raise
        _discard_stdout()
        _fail(f"cannot write to stdout: {error.strerror}", 2)
    if status == INTERRUPTED:  # typer's own answer to Ctrl-C is the number alone
        print("irnet: interrupted", file=sys.stderr)
    sys.exit(status)


def _discard_stdout() -> None:
    """Keep what is still buffered from failing once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, status: int) -> NoReturn:
    line = " ".join(message.split())
    print(f"irnet: error: {line}", file=sys.stderr)
    sys.exit(status)
