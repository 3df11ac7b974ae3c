"""Where models are measured: this machine, a board over SSH, a phone over adb. No TensorFlow."""

from edge_bench.targets.address import Address, parse_address
from edge_bench.targets.connect import connect
from edge_bench.targets.facts import Facts
from edge_bench.targets.link import Completed, TargetError
from edge_bench.targets.target import Target

__all__ = [
    "Address",
    "Completed",
    "Facts",
    "Target",
    "TargetError",
    "connect",
    "parse_address",
]
