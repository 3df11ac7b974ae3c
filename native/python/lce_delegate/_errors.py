"""What this package raises on purpose. The command line turns all into one line and status 2."""


class LceDelegateError(Exception):
    """Base of the package's own errors."""


class UsageError(LceDelegateError, ValueError):
    """A bad argument, an unusable file, or a part of the installation is missing."""


class LibraryMissingError(UsageError, FileNotFoundError):
    """The shared library is not where it should be."""


class RunError(LceDelegateError, RuntimeError):
    """The runtime refuses a well-formed model, or fails when it runs it."""
