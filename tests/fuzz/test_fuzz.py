"""A short run of the fuzzer; the long ones are in docs/explanation/untrusted_files.md."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.mutate import Mutator
from tests.fuzz.run import SEEDS, Run, _kind

ROOT = Path(__file__).parents[2]


@pytest.fixture
def mutator() -> Mutator:
    return Mutator({path.stem: path.read_bytes() for path in SEEDS.glob("*.tflite")}, 1)


def test_no_file_crashes_or_hangs_anything(seed: int) -> None:
    run = Run(seed, None)
    try:
        for _ in range(1500):
            run.step()
    finally:
        run.close()
    assert run.failures == []
    assert run.counts["accepted"] > 150  # or nothing was tried
    assert run.counts["refused"] > 500
    assert run.counts["default: ok"] > 50
    assert run.counts["delegate: ok"] > 20


def test_a_file_depends_on_seed_and_number_alone(mutator: Mutator) -> None:
    first = [mutator.make(i) for i in range(50)]
    again = [mutator.make(i) for i in reversed(range(50))]
    assert first == again[::-1]
    assert len({data for _, data in first}) > 45


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, seed: int) -> None:
    whole = Run(seed, None)
    for _ in range(60):
        whole.step()
    whole.close()
    for part in (30, 60):
        run = Run(seed, tmp_path)
        while run.next < part:
            run.step()
        run.save()
        run.close()
    same = ("counts", "reasons", "next", "failures")
    assert {k: run.summary()[k] for k in same} == {k: whole.summary()[k] for k in same}


def test_a_crash_is_seen_and_its_file_kept(tmp_path: Path, monkeypatch, seed: int) -> None:
    """With the rule of a known crash taken away."""
    from converters.untrusted.rules import convolutions
    from tests.fuzz import run as module

    data = (SEEDS / "mobile-float32.tflite").read_bytes()
    from tests.fuzz.builder import pack, unpack

    model = unpack(data)
    for op in model.subgraphs[0].operators:
        if op.builtinOptionsType == 2:  # DEPTHWISE_CONV_2D
            op.inputs = list(op.inputs[:2])
    bad = pack(model)
    real = convolutions.Node.require
    monkeypatch.setattr(
        convolutions.Node,
        "require",
        lambda node, ok, what: real(node, ok or "bias" in what, what),
    )
    monkeypatch.setattr(module.Mutator, "make", lambda self, index: ("mobile-float32", bad))
    run = module.Run(seed, tmp_path)
    run.step()
    run.close()
    assert run.failures == [
        f"seed {seed}, file 0 (from mobile-float32): default: crash: SIGSEGV",
        *[f for f in run.failures[1:] if "crash: SIGSEGV" in f],
    ]
    assert (tmp_path / f"{seed}-0.tflite").read_bytes() == bad


def test_the_command_prints_its_seed_and_totals() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--count", "20", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("seed 7, files 0 to 20\n")
    assert '"mutated": 20' in done.stdout
    assert '"slowest_check_s"' in done.stdout


def test_reasons_are_counted_without_numbers_and_names() -> None:
    assert _kind("tensor 3 ('a') has shape (1, 2) at 0.5") == "tensor # has shape at #"
