"""Keras model to Larq Compute Engine file: pre-flight before the converter, a gate behind it."""

from converters.lce.convert import Conversion, convert

__all__ = ["Conversion", "convert"]
