"""``python -m lce_delegate``: see :mod:`lce_delegate._command_line`."""

import sys


def main() -> int:
    """Run the command line, also when it is interrupted before it has been imported."""
    try:
        from lce_delegate import _command_line
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    return _command_line.main()


if __name__ == "__main__":
    sys.exit(main())
