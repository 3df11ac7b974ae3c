"""The ARM kernels under emulation (qemu): right results, nothing about speed."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.graph import read_graph, with_outputs
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from tests.native.cases import CATEGORIES, Case, make_case
from tests.native.children import ROOT, run_supervised
from tests.native.conformance import export
from tests.native.nets import Array, write_model
from tests.native.oracle import Verdict, judge
from tests.native.real_models import binary_blocks, write_birealnet18, write_resnet20
from tests.native.test_networks import Real, as_case, run_lce

SEED = 20261125
LAYERS = 8 * len(CATEGORIES)
KERNELS = ("neon", "scalar")
CPUS = ("cortex-a53", "cortex-a72", "neoverse-n1")  # Raspberry Pi 3, 4, and one with dot products

pytestmark = [pytest.mark.native, pytest.mark.slow]


def emulate(
    arm_python: Path, library: Path, stored: Path, cpu: str, *options: str
) -> list[dict[str, Any]]:
    """Events of a replay under qemu."""
    script = ROOT / "tests" / "native" / "replay.py"
    command: list[str | Path] = [arm_python, script, stored, "--library", library, *options]
    return run_supervised(command, 1200, {"QEMU_CPU": cpu})


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Case], Path]:
    """Random cases, judged by LCE on this machine."""
    print(f"seed: {SEED}")
    cases = [make_case(SEED, index) for index in range(LAYERS)]
    path = tmp_path_factory.mktemp("layers") / "cases.npz"
    export(path, cases, judge(cases))
    return cases, path


@pytest.mark.parametrize("kernel", KERNELS)
def test_layers_match_lce(
    kernel: str, arm_python: Path, arm_library: Path, layers: tuple[list[Case], Path]
) -> None:
    cases, stored = layers
    options = ["--kernel", kernel, "--threads", "1,2", "--fusion", "1,0"]
    events = emulate(arm_python, arm_library, stored, "cortex-a72", *options)
    failures = [
        f"{cases[e['index']].name}, {e.get('options', e['event'])}: {e['message']}"
        for e in events
        if e["event"] != "summary"
    ]
    assert failures == []
    assert events[-1]["runs"] == 4 * len(cases) >= 1200


@pytest.mark.parametrize("cpu", CPUS)
def test_every_kernel_set_is_tested(cpu: str, arm_python: Path, arm_library: Path) -> None:
    code = (
        "import ctypes, sys; f = ctypes.CDLL(sys.argv[1]).lce_delegate_info;"
        "f.restype = ctypes.c_size_t; f.argtypes = [ctypes.c_char_p, ctypes.c_size_t];"
        "b = ctypes.create_string_buffer(f(None, 0) + 1); f(b, len(b)); print(b.value.decode())"
    )
    done = subprocess.run(
        [arm_python, "-c", code, arm_library],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "QEMU_CPU": cpu},
    )
    found = json.loads(done.stdout)
    assert found["architecture"] == "aarch64"
    assert [each["name"] for each in found["kernel_sets"] if each["supported"]] == list(KERNELS)


@pytest.mark.parametrize("name", ["resnet20", "birealnet18"])
def test_whole_networks(name: str, arm_python: Path, arm_library: Path, tmp_path: Path) -> None:
    """Every binary block on LCE's own values; and the network runs as a whole."""
    real = real_network(name, tmp_path)
    blocks = binary_blocks(real.graph)
    wanted = sorted({index for _, indices in blocks for index in indices})
    wanted += [index for index in real.graph.outputs if index not in wanted]
    found = run_lce(as_case(real, with_outputs(real.graph, wanted), len(wanted)), tmp_path)
    values = [dict(zip(wanted, each, strict=True)) for each in found]
    cases, outputs = [], []
    for number, (net, (*sources, last)) in enumerate(blocks):
        inputs: list[list[Array]] = [[each[index] for index in sources] for each in values]
        cases.append(Case(number, 0, f"{name} block", net, write_model(net), inputs))
        outputs.append([[each[last]] for each in values])
    export(tmp_path / "blocks.npz", cases, [Verdict(o, "indirect", (), ()) for o in outputs])
    options = ["--kernel", "neon", "--threads", "2", "--fusion", "1,0"]
    events = emulate(arm_python, arm_library, tmp_path / "blocks.npz", "cortex-a72", *options)
    assert [e for e in events if e["event"] != "summary"] == []
    assert events[-1]["runs"] == 2 * len(blocks)

    # The ARM float kernels of the runtime round in their own way, which can flip signs.
    case = as_case(real, real.graph.data, 1)
    logits = [[each[real.graph.outputs[0]]] for each in values]
    export(tmp_path / "whole.npz", [case], [Verdict(logits, "indirect", (), ())])
    record = tmp_path / "record.bin"
    record.write_bytes(b"")
    events = emulate(
        arm_python,
        arm_library,
        tmp_path / "whole.npz",
        "cortex-a72",
        "--record",
        str(record),
    )
    assert [e["event"] for e in events] == ["result", "summary"], events
    with record.open("rb") as file:
        for (expected,) in logits:
            got = np.load(file)
            print(f"largest difference of logits: {np.abs(got - expected).max()}")
            assert np.argmax(got) == np.argmax(expected)
            assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.99


def real_network(name: str, folder: Path) -> Real:
    """One of the two networks with a few images."""
    if name == "resnet20":
        images = preprocess(load_sample().calibration.images[:4])
        path = write_resnet20(folder / "resnet20.tflite")
        return Real(name, read_graph(path), [image[None] for image in images])
    rng = np.random.default_rng(0)
    picture = rng.standard_normal((1, 224, 224, 3), np.float32)
    return Real(name, read_graph(write_birealnet18(folder)), [picture])


def test_userland_script_names_what_is_missing(tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    for tool in ("bash", "dirname", "basename", "mkdir", "id", "cat"):
        (empty / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    done = subprocess.run(
        [shutil.which("bash") or "bash", ROOT / "tools" / "arm64_userland.sh", tmp_path / "x"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(empty)},
    )
    assert done.returncode == 2
    assert "needs Debian's apt-get and dpkg" in done.stderr
    assert not (tmp_path / "x").exists()
