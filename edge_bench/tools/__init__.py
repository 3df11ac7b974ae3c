"""The programs that time a model, on any target: their arguments and what they print."""

from edge_bench.tools.benchmark_model import BenchmarkModel, LceBenchmarkModel
from edge_bench.tools.lce_delegate import LceDelegate, info_argv, read_info
from edge_bench.tools.tool import (
    LogError,
    ModelFile,
    OpTime,
    Stats,
    Tool,
    ToolOptions,
    ToolResult,
)

TOOLS = ("lce_benchmark_model", "benchmark_model", "lce_delegate")

__all__ = [
    "TOOLS",
    "BenchmarkModel",
    "LceBenchmarkModel",
    "LceDelegate",
    "LogError",
    "ModelFile",
    "OpTime",
    "Stats",
    "Tool",
    "ToolOptions",
    "ToolResult",
    "info_argv",
    "read_info",
]
