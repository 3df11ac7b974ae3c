"""A model that takes too long or too much ends in one line, and leaves no process behind."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from converters.runtimes import TFLiteProcess
from converters.untrusted import Policy, RefusedFileError
from irnet_keras.errors import CheckFailed
from tests.fuzz.builder import O, T, build

EVERYTHING = Policy(tensor_mib=10**6, memory_mib=10**6, gmacs=1e9)


@pytest.fixture
def slow_file(tmp_path: Path) -> Path:
    """59e9 multiply-accumulates, over a minute in the plain kernels."""
    path = tmp_path / "slow.tflite"
    options = {"padding": 0, "strideH": 1, "strideW": 1}
    tensors = [
        T((1, 512, 512, 16)),
        T((16, 30, 30, 16), data=np.ones((16, 30, 30, 16), np.float32)),
        T((16,), data=np.zeros(16, np.float32)),
        T((1, 512, 512, 16)),
    ]
    path.write_bytes(build(tensors, [O("CONV_2D", [0, 1, 2], [3], "Conv2D", options)], [0], [3]))
    return path


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    """1 x 8 values that PAD and RESIZE make 1.9 GB of."""
    path = tmp_path / "big.tflite"
    tensors = [
        T((1, 4, 2, 1)), T((2,), "INT32", [22_000, 22_000]), T((1, 22_000, 22_000, 1)),
        T((4,), "INT32", [1, 2]), T((1, 1)),
    ]  # fmt: skip
    tensors[3] = T((2,), "INT32", [1, 2])
    ops = [
        O("RESIZE_NEAREST_NEIGHBOR", [0, 1], [2], "ResizeNearestNeighbor"),
        O("REDUCE_MAX", [2, 3], [4], "Reducer"),
    ]
    path.write_bytes(build(tensors, ops, [0], [4]))
    return path


def test_a_hang_inside_of_a_model_ends_in_one_line(slow_file: Path) -> None:
    with pytest.raises(RefusedFileError, match=r"takes 60 billion mul.* at most 40 \(--file-limit"):
        TFLiteProcess(slow_file)
    with pytest.raises(CheckFailed, match=r"slow\.tflite: no answer within 3 s, stopped$"):
        TFLiteProcess(slow_file, mode="reference", timeout=3, policy=EVERYTHING)


def test_an_allocation_bomb_ends_in_one_line(big_file: Path) -> None:
    with pytest.raises(RefusedFileError, match=r"tensor 2 takes 1,846 MiB.*\(--file-limit tensor"):
        TFLiteProcess(big_file)
    with pytest.raises(CheckFailed, match=r"big\.tflite: the model needs more than 1128 MiB$"):
        TFLiteProcess(big_file, memory_mib=1000, policy=EVERYTHING)


def test_a_hanging_child_whose_parent_has_died_ends_by_itself(slow_file: Path) -> None:
    code = (
        "import os, sys, threading\n"
        "from converters.runtimes import process\n"
        "from converters.runtimes.child import Child\n"
        "from tests.runtimes.test_limits import EVERYTHING\n"
        "start = Child.__init__\n"
        "def note(self, *args, **kwargs):\n"
        "    start(self, *args, **kwargs)\n"
        "    print(self.pid, flush=True)\n"
        "    threading.Timer(3, os._exit, [0]).start()\n"
        "Child.__init__ = note\n"
        "process.TFLiteProcess(sys.argv[1], mode='reference', timeout=4, policy=EVERYTHING)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, slow_file], capture_output=True, text=True, check=True
    )
    child = int(answer.stdout)
    deadline = time.monotonic() + 100
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(deadline - time.monotonic())
    assert not psutil.pid_exists(child)
