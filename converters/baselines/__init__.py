"""Float32, float16 and int8 builds of the same network through the TFLite converter."""

from converters.baselines.build import FORMATS, build_baseline

__all__ = ["FORMATS", "build_baseline"]
