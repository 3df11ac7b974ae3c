"""What this package raises on purpose. The command line turns both into one line and a status."""


class LceDelegateError(Exception):
    """Base of the package's own errors."""


class UsageError(LceDelegateError, ValueError):
    """A bad argument, an unusable file, or a part of the installation is missing (status 2)."""


class LibraryMissingError(UsageError, FileNotFoundError):
    """The shared library is not where it should be."""


class RunError(LceDelegateError, RuntimeError):
    """The runtime failed on a well-formed model (status 1)."""
