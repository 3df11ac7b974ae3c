"""The command tree; errors become one line and an exit status."""

import os
import sys

import typer

from irnet_cli.commands import data
from irnet_cli.commands.baseline import baseline
from irnet_cli.commands.bench import bench
from irnet_cli.commands.convert import convert
from irnet_cli.commands.eval import eval_
from irnet_cli.commands.models import models
from irnet_cli.commands.quickstart import quickstart
from irnet_cli.commands.report import report
from irnet_cli.commands.train import train
from irnet_cli.commands.verify import verify, verify_file
from irnet_keras.errors import IrnetError

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
app.command()(verify)
app.command()(verify_file)
app.command()(bench)
app.command()(report)
app.command()(models)


def run() -> None:
    """Run the command line; exit status 0 done, 1 a check failed, 2 usage or unreadable input."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.TyperException as error:  # wrong option, missing argument, ...
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            sys.exit(2)
        _fail(error.format_message(), 2)
    except IrnetError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        print("irnet: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone, e.g. head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(message: str, status: int) -> None:
    line = " ".join(message.split())
    print(f"irnet: error: {line}", file=sys.stderr)
    sys.exit(status)
