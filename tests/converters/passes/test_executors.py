"""Rewritten files where they run: LiteRT with the delegate, and LCE's own kernels."""

from pathlib import Path

import numpy as np
import pytest
from pass_nets import INPUT_SETS, case, graph_of, inputs_for, sign_chain

from converters.graph import Graph
from converters.passes import PassResult, Target, pack_outputs, pack_pools
from tests.native.cases import Case, save
from tests.native.children import ROOT, python, run_supervised
from tests.native.nets import Array
from tests.native.oracle import judge, read_results
from tests.native.replay import difference

pytestmark = pytest.mark.native
COUNT = 40


def rewritten(target: Target, *, pooled: bool) -> list[tuple[Graph, Graph, list[list[Array]]]]:
    """Graphs before and after, and inputs."""
    found = []
    seed = 0
    while len(found) < COUNT:
        rng = np.random.default_rng([seed, pooled])
        seed += 1
        graph = graph_of(sign_chain(rng, pooled=pooled))
        result: PassResult = (pack_pools if pooled else pack_outputs).run(graph, target)
        if result.modified:
            found.append((graph, result.graph, inputs_for(rng, case(0, graph, []).net)))
    return found


def in_delegate(cases: list[Case], library: Path, folder: Path) -> list[list[list[Array]]]:
    save(folder / "cases.npz", cases)
    recorded = folder / "outputs.bin"
    recorded.touch()
    script = ROOT / "tests" / "native" / "replay.py"
    command = python(script, folder / "cases.npz", "--library", library, "--record", recorded)
    events = run_supervised(command, 300)
    assert [e for e in events if e["event"] not in ("result", "summary")] == []
    results = read_results(events, recorded, [len(c.net.outputs) for c in cases])
    return [outputs for _, _, outputs in results]


@pytest.mark.parametrize("pooled", [False, True], ids=["outputs", "pools"])
def test_the_delegate_gives_the_same_bits(pooled: bool, library: Path, tmp_path: Path) -> None:
    pairs = rewritten("delegate", pooled=pooled)
    cases = [case(i, g, values) for i, (a, b, values) in enumerate(pairs) for g in (a, b)]
    outputs = in_delegate(cases, library, tmp_path)
    for i in range(0, len(cases), 2):
        for s in range(INPUT_SETS):
            for a, b in zip(outputs[i][s], outputs[i + 1][s], strict=True):
                assert not difference(b, a, ignores_zero_sign=True), i // 2


@pytest.mark.parametrize("target", ["lce", "delegate"])
@pytest.mark.parametrize("pooled", [False, True], ids=["outputs", "pools"])
def test_lce_gives_the_same_bits(pooled: bool, target: Target) -> None:
    """Zero-padded bits in its reference kernel, thanks to the dummy multiplier."""
    pairs = rewritten(target, pooled=pooled)
    cases = [case(i, g, values) for i, (a, b, values) in enumerate(pairs) for g in (a, b)]
    verdicts = judge(cases)
    assert [p for v in verdicts for p in v.problems] == []
    ran = 0
    for i in range(0, len(cases), 2):
        before, after = verdicts[i], verdicts[i + 1]
        if target == "lce":  # all kernels that ran it still do
            assert set(before.modes) <= set(after.modes)
        ran += after.source != "emulator"
        for left, right in zip(before.outputs, after.outputs, strict=True):
            for a, b in zip(left, right, strict=True):
                if before.source == after.source or a.dtype != np.float32:
                    assert not difference(b, a, ignores_zero_sign=True), i // 2
    assert ran >= COUNT // 2
