"""Whole networks in stock LiteRT with the delegate compute what they compute in LCE."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.graph import Graph, read_graph, with_outputs
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from tests.native.cases import Case, save
from tests.native.children import ROOT, python, run_supervised
from tests.native.conformance import export, replay
from tests.native.nets import Array, Net, write_model
from tests.native.oracle import Verdict, read_results
from tests.native.real_models import binary_blocks, write_birealnet18, write_resnet20
from tests.native.replay import difference

pytestmark = [pytest.mark.native, pytest.mark.slow]
# float operators of two runtimes: their convolutions add in another order
FLOAT_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Real:
    """A converted network and images for it, one per input set."""

    name: str
    graph: Graph
    images: list[Array]


@pytest.fixture(scope="module")
def resnet20(tmp_path_factory: pytest.TempPathFactory) -> Real:
    path = write_resnet20(tmp_path_factory.mktemp("resnet20") / "resnet20.tflite")
    images = preprocess(load_sample().calibration.images[:8])
    return Real("resnet20", read_graph(path), [image[None] for image in images])


@pytest.fixture(scope="module")
def birealnet18(tmp_path_factory: pytest.TempPathFactory) -> Real:
    path = write_birealnet18(tmp_path_factory.mktemp("birealnet18"))
    rng = np.random.default_rng(0)
    images = [rng.standard_normal((1, 224, 224, 3), np.float32) for _ in range(2)]
    return Real("birealnet18", read_graph(path), images)


@pytest.fixture(params=["resnet20", "birealnet18"])
def real(request: pytest.FixtureRequest) -> Real:
    value: Real = request.getfixturevalue(request.param)
    return value


def as_case(real: Real, model: bytes, outputs: int) -> Case:
    """The whole network as a case; its operators are not described."""
    net = Net((), (), (0,), tuple(range(outputs)))
    return Case(0, 0, real.name, net, model, [[image] for image in real.images])


def run_lce(case: Case, folder: Path) -> list[list[Array]]:
    """Outputs of LCE's indirect kernels."""
    stored, record = folder / "lce.npz", folder / "lce.bin"
    save(stored, [case], extra=[{"modes": ["indirect"]}])
    record.write_bytes(b"")  # children append
    events = run_supervised(python("-m", "tests.native.lce_worker", stored, record), 600)
    return read_results(events, record, [len(case.net.outputs)])[0][2]


def run_delegate(case: Case, library: Path, folder: Path, *options: str) -> list[list[Array]]:
    """Outputs of stock LiteRT with the delegate."""
    stored, record = folder / "delegate.npz", folder / "delegate.bin"
    save(stored, [case])
    record.write_bytes(b"")
    script = ROOT / "tests" / "native" / "replay.py"
    command = python(script, stored, "--library", library, "--record", record, *options)
    events = run_supervised(command, 600)
    results = read_results(events, record, [len(case.net.outputs)])
    assert results, events
    return results[0][2]


def test_binary_blocks_match_lce(
    real: Real, library: Path, info: dict[str, Any], tmp_path: Path
) -> None:
    blocks = binary_blocks(real.graph)
    wanted = sorted({index for _, indices in blocks for index in indices})
    case = as_case(real, with_outputs(real.graph, wanted), len(wanted))
    values = [dict(zip(wanted, found, strict=True)) for found in run_lce(case, tmp_path)]
    cases, verdicts = [], []
    for number, (net, (*sources, last)) in enumerate(blocks):
        inputs = [[each[index] for index in sources] for each in values]
        cases.append(Case(number, 0, f"{real.name} block", net, write_model(net), inputs))
        verdicts.append(Verdict([[each[last]] for each in values], "indirect", (), ()))
    assert len(cases) == {"resnet20": 18, "birealnet18": 16}[real.name]
    export(tmp_path / "blocks.npz", cases, verdicts)
    for kernel in [each["name"] for each in info["kernel_sets"] if each["supported"]]:
        events = replay(tmp_path / "blocks.npz", library, kernel, threads="1,2", fusion="1,0")
        failures = [e for e in events if e["event"] != "summary"]
        assert failures == []
        assert events[-1]["runs"] == 4 * len(cases)


def test_whole_network_matches_lce(real: Real, library: Path, tmp_path: Path) -> None:
    """Features before the global pooling: equal bits, unless a float operator differed before.

    Two versions of the runtime sum up a mean in another order, so logits are only close.
    """
    pooling = real.graph.ops_named("MEAN")[0]
    case = as_case(real, with_outputs(real.graph, (pooling.inputs[0], *real.graph.outputs)), 2)
    expected = run_lce(case, tmp_path)
    different = 0
    for options in (["--threads", "1"], ["--threads", "2"], ["--fusion", "0"]):
        got = run_delegate(case, library, tmp_path, *options)
        for mine, theirs in zip(got, expected, strict=True):
            different += bool(difference(mine[0], theirs[0], True))
            assert np.argmax(mine[1]) == np.argmax(theirs[1])
            if not different:
                assert np.abs(mine[1] - theirs[1]).max() < FLOAT_TOLERANCE
    print(f"{different} of {3 * len(real.images)} feature maps differ")
    if different:
        explain_difference(real, library, tmp_path)


def explain_difference(real: Real, library: Path, folder: Path) -> None:
    """The first tensor that differs must come from a float operator, and hardly differ."""
    written = [op.outputs[0] for op in real.graph.ops]
    case = as_case(real, with_outputs(real.graph, written), len(written))
    expected, got = run_lce(case, folder), run_delegate(case, library, folder)
    for theirs, mine in zip(expected, got, strict=True):
        for op, a, b in zip(real.graph.ops, theirs, mine, strict=True):
            found = difference(b, a, True)
            if found:
                print(f"first difference: operator {op.index}, {op.name}: {found}")
                assert not op.name.startswith("Lce"), f"{op.name} {op.index}: {found}"
                assert np.abs(a - b).max() < FLOAT_TOLERANCE
                break
