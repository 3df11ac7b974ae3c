"""The scripts in ``benchmarks/`` refuse bad paths before they work."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARKS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_native_delegate_names_the_files_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "birealnet18-int8.tflite").touch()
    for folder, missing in (
        (tmp_path, "birealnet18-1bit.tflite, birealnet18-float32.tflite"),
        (tmp_path / "nowhere", "birealnet18-1bit.tflite, birealnet18-int8.tflite, birealnet18-f"),
    ):
        out = run("native_delegate.py", "--models", folder)
        assert (out.returncode, out.stdout) == (2, "")
        assert out.stderr.startswith(f"error: --models: {folder} has no {missing}")
        assert out.stderr.endswith(f": python benchmarks/birealnet18.py --out {folder}\n")
        assert out.stderr.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


def test_birealnet18_tries_its_folder_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = run("birealnet18.py", "--out", tmp_path / "file" / "x")
    assert (out.returncode, out.stdout) == (2, "")
    assert out.stderr.splitlines()[-1] == (
        f"error: --out: cannot create folder {tmp_path}/file/x: Not a directory"
    )
    assert "Traceback" not in out.stderr
