"""Run ``.tflite`` files, each in a process of its own. No TensorFlow.

In LiteRT, with ``lce_delegate`` where a file has Larq operators, or in LCE's own interpreter.
"""

from converters.runtimes.accuracy import Score, tflite_accuracy
from converters.runtimes.modes import RUNTIMES, engine_for
from converters.runtimes.process import TFLiteProcess, check_threads
from converters.runtimes.tensors import TensorDetails

__all__ = [
    "RUNTIMES",
    "Score",
    "TFLiteProcess",
    "TensorDetails",
    "check_threads",
    "engine_for",
    "tflite_accuracy",
]
