"""Run ``.tflite`` files: LiteRT or LCE, each model in a process of its own. No TensorFlow."""

from converters.runtimes.process import TensorDetails, TFLiteProcess

__all__ = ["TFLiteProcess", "TensorDetails"]
