"""A board and a phone whose Python is aarch64, under emulation."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_bench.device import info, setup
from edge_bench.remote import Plan, bench_on
from edge_bench.remote_accuracy import Labelled
from edge_bench.remote_calls import Logs
from edge_bench.targets import connect, parse_address
from edge_bench.tools import ToolOptions
from irnet_keras.errors import CheckFailed, UsageError
from tests.edge_bench.targets.board import Board
from tests.edge_bench.targets.conftest import ROOT, install_arm_python, script
from tests.edge_bench.targets.phone import Phone

pytestmark = [pytest.mark.native, pytest.mark.slow]
SEEDS = ROOT / "tests" / "fuzz" / "seeds"
FLOAT, BINARY = (SEEDS / f"{name}.tflite" for name in ("mobile-float32", "bconv-one"))


@pytest.fixture
def clean_bin(at_home: Board) -> Iterator[Path]:
    """The board's folder of programs, emptied afterwards."""
    yield at_home.bin
    for path in at_home.bin.iterdir():
        path.unlink()
    shutil.rmtree(at_home.board_home / ".local", ignore_errors=True)


def test_set_up_a_board_and_measure_on_it(
    at_home: Board,
    clean_bin: Path,
    phone: Phone,
    arm_python: Path,
    arm_library: Path,
    tmp_path: Path,
    rng: np.random.Generator,
) -> None:
    on = parse_address(f"ssh://127.0.0.1:{at_home.port}")
    install_arm_python(clean_bin, arm_python, None)
    with connect(on) as target:
        bare = info(target)
        assert (bare["arch"], bare["os_bits"], bare["cpu_model"]) == ("aarch64", 64, "Cortex-A72")
        assert "asimd" in bare["cpu_features"]
        assert bare["runtime"] is None
        assert bare["missing"] == ["lce_delegate: irnet device setup"]
        names = setup(target, None)
        assert [n.split("-")[0] for n in names] == ["numpy", "ai_edge_litert", "lce_delegate"]
        assert all("aarch64" in name for name in names)
        ready = info(target)
        assert ready["missing"] == []
        assert ready["runtime"]["kernels"] == ["neon", "scalar"]
        assert target.python == str(at_home.board_home / ".local/share/irnet/venv/bin/python")
    share = at_home.board_home / ".local" / "share" / "irnet"
    assert [p.name for p in share.iterdir()] == ["venv"]

    quick = ToolOptions(num_runs=30, warmup_runs=1)
    logs = Logs(tmp_path / "logs", resume=False)
    board = bench_on([on], Plan([BINARY], options=quick, rounds=1), logs)
    assert board.builds[0].kernel == "neon"
    assert board.builds[0].engine.endswith("(neon)")

    install_arm_python(phone.root / "bin", arm_python, arm_library)
    inputs = rng.standard_normal((20, 6, 6, 4)).astype(np.float32)
    data = Labelled(inputs, rng.integers(0, 3, 20))
    plan = Plan([FLOAT], options=quick, rounds=1, data=data)
    result = bench_on([parse_address("adb")], plan, logs)
    # float rounding may differ, by far less than the classes do here
    assert result.builds[0].host_agreement == 1.0
    for each in (board, result):
        (device,) = each.devices
        assert (device.machine, device.os_bits) == ("aarch64", 64)
        assert device.versions["LiteRT"] == "2.3.0"
        assert len(each.builds[0].samples_ms) == 30


def test_setup_says_what_is_missing(
    at_home: Board, clean_bin: Path, phone: Phone, tmp_path: Path
) -> None:
    on = parse_address(f"ssh://127.0.0.1:{at_home.port}")
    script(clean_bin / "uname", '[ "$*" = -m ] && echo armv7l || exec /bin/uname "$@"\n')
    with connect(on) as target, pytest.raises(CheckFailed, match="this system runs armv7l"):
        setup(target, None)
    (clean_bin / "uname").unlink()
    script(clean_bin / "python3", "echo 2.7\n")
    with connect(on) as target, pytest.raises(CheckFailed, match=r"3\.13 .*found: 2\.7"):
        setup(target, None)
    with connect(parse_address("adb")) as target, pytest.raises(UsageError, match="no Python"):
        setup(target, None)
