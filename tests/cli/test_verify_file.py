"""``irnet verify-file``: lines, JSON, exit status, options."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.builder import O, T, build

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
GOOD = SEEDS / "mobile-float32.tflite"


def irnet(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "irnet_cli", "verify-file", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def cosine(tmp_path: Path) -> Path:
    path = tmp_path / "cos.tflite"
    path.write_bytes(build([T((4,)), T((4,))], [O("COS", [0], [1])], [0], [1]))
    return path


def test_accepted_files_are_a_line_each_and_status_0() -> None:
    done = irnet(GOOD, SEEDS / "bconv-zero.tflite")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == (
        f"{GOOD}: accepted, 8 operators, {GOOD.stat().st_size} bytes, "
        "at most 0.0 MiB of tensors, 0.0 million units of work"
    )
    assert second.endswith("0.5 million units of work")


def test_a_refused_file_is_status_1_and_an_unreadable_one_2(cosine: Path, tmp_path: Path) -> None:
    refused = irnet(GOOD, cosine)
    assert refused.returncode == 1
    assert refused.stdout.splitlines()[1].startswith(f"refused: {cosine}: ")
    assert refused.stderr == (
        f"irnet: error: {cosine}: refused .tflite file: operator 0 is 'COS', which is not on the "
        "list of accepted operators (--allow-op)\n"
    )
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(GOOD.read_bytes()[:1000])
    unreadable = irnet(cosine, cut, "--json", "-")
    assert unreadable.returncode == 2
    assert unreadable.stderr.startswith(f"irnet: error: {cut}: damaged .tflite file")
    assert unreadable.stderr.endswith("(and 1 more)\n")
    results = json.loads(unreadable.stdout)
    assert [(r["file"], r["accepted"], r["well_formed"]) for r in results] == [
        (str(cosine), False, True),
        (str(cut), False, False),
    ]
    assert "COS" in results[0]["reason"]


def test_options_allow_operators_and_set_limits(cosine: Path) -> None:
    assert irnet(cosine, "--allow-op", "COS").returncode == 0
    small = irnet(GOOD, "--file-limit", "ops=7")
    assert small.returncode == 1
    assert "has 8 operators, accepted are at most 7 (--file-limit ops)" in small.stderr
    accepted = "NAME of file-mib, tensor-mib, memory-mib, ops, gmacs; got 'x=1'"
    for value, message in (("x=1", accepted), ("ops=-3", "above 0, got '-3'")):
        wrong = irnet(GOOD, "--file-limit", value)
        assert wrong.returncode == 2
        assert message in wrong.stderr
