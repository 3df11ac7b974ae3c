"""Entry point of ``irnet`` and ``python -m irnet_cli``."""

import os
import sys


def main() -> None:
    """Run the command line, also when our packages refuse to be imported (wrong Keras)."""
    if sys.stdout is None:
        print("irnet: error: cannot write to stdout: it is closed", file=sys.stderr)
        sys.exit(2)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        from irnet_cli.app import run
    except KeyboardInterrupt:
        print("irnet: interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        status = getattr(error, "exit_code", None)  # the error classes may not be importable
        if status is None:
            raise
        print(f"irnet: error: {error}", file=sys.stderr)
        sys.exit(status)
    run()


if __name__ == "__main__":
    main()
