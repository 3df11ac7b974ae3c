"""Several interpreters at once, with one delegate and with their own."""

from pathlib import Path

import pytest

from tests.native.cases import CATEGORIES, make_case
from tests.native.children import ROOT, python, run_supervised
from tests.native.conformance import export
from tests.native.oracle import judge

SEED = 20261128
ROUNDS = 20

pytestmark = pytest.mark.native

_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.native.test_sharing import share
share(sys.argv[2], sys.argv[3], sys.argv[4] == "shared")
"""


def share(stored: str, library: str, shared: bool) -> None:
    """In a child: all interpreters alive, first in turns, then each in its own thread."""
    import json
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    from ai_edge_litert.interpreter import Interpreter, load_delegate

    from tests.native.replay import compare_case, say

    with np.load(stored) as archive:
        cases = {name: archive[name] for name in archive.files}
    meta = json.loads(cases["meta"].tobytes())
    say(event="begin", index=0)
    one = load_delegate(library)
    interpreters = []
    for number in range(len(meta)):
        interpreter = Interpreter(
            model_content=cases[f"model{number}"].tobytes(),
            num_threads=2,
            experimental_delegates=[one if shared else load_delegate(library)],
        )
        interpreter.allocate_tensors()
        interpreters.append(interpreter)

    def run(number: int) -> str:
        return compare_case(interpreters[number], cases, number, meta[number])

    numbers = list(range(len(meta)))
    found = [run(number) for number in numbers]
    with ThreadPoolExecutor(len(numbers)) as pool:
        for _ in range(ROUNDS):
            found += pool.map(run, numbers)
    say(event="done", index=0, runs=len(found), wrong=[text for text in found if text])


@pytest.mark.parametrize("delegates", ["shared", "own"])
def test_interpreters_do_not_disturb_each_other(
    delegates: str, library: Path, tmp_path: Path
) -> None:
    names = [name for name in CATEGORIES if name.startswith("chain") or "large" in name]
    cases = [make_case(SEED, list(CATEGORIES).index(name)) for name in names]
    export(tmp_path / "cases.npz", cases, judge(cases))
    command = python("-c", _CHILD, ROOT, tmp_path / "cases.npz", library, delegates)
    events = run_supervised(command, 300)
    assert [e["event"] for e in events] == ["done"], events
    assert events[0]["wrong"] == []
    assert events[0]["runs"] == (ROUNDS + 1) * len(cases)
