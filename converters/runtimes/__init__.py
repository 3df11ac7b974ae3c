"""Run ``.tflite`` files: LiteRT or LCE, each model in a process of its own. No TensorFlow."""

from converters.runtimes.accuracy import Score, tflite_accuracy
from converters.runtimes.process import TFLiteProcess
from converters.runtimes.tensors import TensorDetails

__all__ = ["Score", "TFLiteProcess", "TensorDetails", "tflite_accuracy"]
