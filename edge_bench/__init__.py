"""Measure ``.tflite`` files side by side and report what was measured. No TensorFlow."""

from edge_bench.local import bench
from edge_bench.report import write_report
from edge_bench.schema import BenchResult

__all__ = ["BenchResult", "bench", "write_report"]
