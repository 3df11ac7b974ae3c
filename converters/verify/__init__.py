"""Compare a ``.tflite`` file with the Keras model it should be, layer by layer and end to end."""

from converters.verify.report import Limits, VerifyReport
from converters.verify.verify import verify

__all__ = ["Limits", "VerifyReport", "verify"]
