"""What a ``.tflite`` file does, operator by operator. No TensorFlow."""

from converters.explain.explain import explain
from converters.explain.node_data import OVERLAYS, node_data
from converters.explain.report import Explanation, OpReport, Target, Totals

__all__ = ["OVERLAYS", "Explanation", "OpReport", "Target", "Totals", "explain", "node_data"]
