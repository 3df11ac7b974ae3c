"""Errors every command turns into one line and an exit status.

Nothing here imports TensorFlow: the command line needs these classes before it
knows whether TensorFlow can be imported at all.
"""


class IrnetError(Exception):
    """Base of all errors meant for the user; ``exit_code`` is the process status."""

    exit_code = 2


class UsageError(IrnetError):
    """Bad or unreadable input: argument, file, folder, environment (exit status 2)."""

    exit_code = 2


class CheckFailed(IrnetError):  # noqa: N818  (a failed check is not a programming error)
    """The input was fine, a check on the result failed (exit status 1)."""

    exit_code = 1


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or the error's class where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
