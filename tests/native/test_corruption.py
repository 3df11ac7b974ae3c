"""A damaged file is refused or means something else, but never crashes the process."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.native import emulator
from tests.native.cases import save
from tests.native.children import ROOT, Event, python, run_supervised
from tests.native.mutations import SUITES, Mutation
from tests.native.oracle import padding_form, read_results
from tests.native.replay import difference

pytestmark = pytest.mark.native


def run_mutations(mutations: list[Mutation], library: Path, folder: Path) -> list[str]:
    """What is wrong, one text per mutation."""
    cases = [mutation.case for mutation in mutations]
    stored, record = folder / "cases.npz", folder / "outputs.bin"
    save(stored, cases)
    record.touch()
    script = ROOT / "tests" / "native" / "replay.py"
    command = python(script, stored, "--library", library, "--record", record)
    events = run_supervised(command, 300)
    results = read_results(events, record, [len(case.net.outputs) for case in cases])
    outputs = {index: found for index, _, found in results}
    refusals = {e["index"]: e for e in events if e["event"] in ("failure", "crash")}
    assert len(outputs) + len(refusals) == len(mutations)
    wrong = []
    for i, mutation in enumerate(mutations):
        text = judge(mutation, outputs.get(i), refusals.get(i))
        if text:
            wrong.append(f"{mutation.what}: {text}")
    print(f"{len(mutations)} damaged files, {len(refusals)} refused, {len(outputs)} ran")
    return wrong


def judge(mutation: Mutation, outputs: Any, refusal: Event | None) -> str:
    """What is wrong with an outcome, or an empty text."""
    if refusal is not None:
        if refusal["event"] == "crash":
            return f"crash: {refusal['message']}"
        return "" if refusal["stage"] == "load" else f"refused too late: {refusal['message']}"
    if not mutation.meanings:
        return "ran, but has no meaning"
    differences = []
    for net in mutation.meanings:
        expected = emulator.run(net, mutation.case.inputs[0], padding_form(net))
        found = difference(outputs[0][0], expected[0], False)
        if not found:
            return ""
        differences.append(found)
    return "ran, but is none of its meanings: " + "; ".join(differences)


@pytest.mark.parametrize("suite", list(SUITES))
def test_damaged_files_are_refused_or_mean_something(
    suite: str, library: Path, tmp_path: Path
) -> None:
    seed = zlib.crc32(suite.encode())
    print(f"seed: {seed}")
    mutations = list(SUITES[suite](np.random.default_rng(seed)))
    assert run_mutations(mutations, library, tmp_path) == []


@pytest.mark.parametrize("suite", list(SUITES))
def test_every_suite_has_files_that_must_be_refused(suite: str) -> None:
    mutations = list(SUITES[suite](np.random.default_rng(0)))
    if "bytes" not in suite:  # there, the old meaning is always allowed
        assert any(not mutation.meanings for mutation in mutations)
    assert len(mutations) > 30
