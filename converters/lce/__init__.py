"""Keras model to Larq Compute Engine file, with a gate behind the converter."""

from converters.lce.convert import Conversion, convert

__all__ = ["Conversion", "convert"]
