"""Edited copies of a file, run on images: :mod:`converters.runtimes.watching`."""

from converters.runtimes.watching import BATCH, Runner, Values, Watched, opened, runner

__all__ = ["BATCH", "Runner", "Values", "Watched", "opened", "runner"]
