"""Entry point: builds the command tree and turns errors into one line and a status."""

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


def main() -> None:
    """Run the command line; see cli reference for the exit statuses."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        app()
    except IrnetError as error:
        print(f"irnet: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("irnet: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
