"""The benchmark and its commands on real files. No test depends on how fast anything is."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_files import binary_conv, small_classifier, write_float, write_lce

from converters.runtimes import TFLiteProcess
from edge_bench.local import bench, unique_names
from edge_bench.schema import parse_bench
from edge_bench.statistics import median_ratio_interval, summarize
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("bench")
    tf.keras.utils.set_random_seed(2)
    return [
        write_float(small_classifier(), folder / "float32.tflite"),
        write_lce(binary_conv(), folder / "binary.tflite"),
    ]


def irnet(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "irnet_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_numbers_follow_from_the_samples(files: list[Path], seed: int) -> None:
    lines: list[str] = []
    result = bench(files, num_runs=31, warmup_runs=2, rounds=4, seed=seed, log=lines.append)
    first, second = result.builds
    assert [b.name for b in result.builds] == ["float32", "binary"]
    for build, path in zip(result.builds, files, strict=True):
        assert len(build.samples_ms) == 31
        summary = summarize(build.samples_ms)
        assert (build.median_ms, build.mad_ms) == (summary.median, summary.mad)
        assert (build.p90_ms, build.min_ms) == (summary.p90, summary.minimum)
        assert build.size_bytes == path.stat().st_size
        assert build.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (build.threads, build.warmup_runs) == (1, 2)
    assert first.ratio is None
    assert second.ratio is not None
    assert second.ratio.to == "float32"
    assert second.ratio.value == second.median_ms / first.median_ms
    interval = median_ratio_interval(second.samples_ms, first.samples_ms, seed=seed)
    assert (second.ratio.low, second.ratio.high) == interval
    assert first.engine.startswith("LiteRT")
    assert second.engine.startswith("LCE")
    assert (result.context.rounds, result.context.seed) == (4, seed)
    assert any("LCE" in line for line in lines)


def test_same_file_twice_gets_two_names(files: list[Path]) -> None:
    assert unique_names([files[0], files[1], files[0], files[0]]) == [
        "float32", "binary", "float32#2", "float32#3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_runs": 29}, "num-runs must be at least 30, got 29"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"warmup_runs": -1}, "warmup-runs must not be negative, got -1"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"names": ["a", "a"]}, "2 files need as many different names"),
    ],
)
def test_bad_options_are_usage_errors(files: list[Path], options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench(files, **options)
    with pytest.raises(UsageError, match="no files"):
        bench([])


def test_bench_and_report_commands(files: list[Path], tmp_path: Path) -> None:
    out, page = tmp_path / "b.json", tmp_path / "r.html"
    answer = irnet("bench", *files, "--num-runs", 30, "--warmup-runs", 0, "--json", out)
    assert answer.returncode == 0, answer.stderr
    assert "float32" in answer.stdout
    result = parse_bench(json.loads(out.read_text()), "b.json")
    assert [len(b.samples_ms) for b in result.builds] == [30, 30]

    answer = irnet("report", out, "-o", page)
    assert (answer.returncode, answer.stdout) == (0, f"{page}\n")
    assert "binary" in page.read_text()

    accuracy = {"float32": {"accuracy": 0.4321, "num_examples": 1000}}
    quick = {"schema_id": "irnet.quickstart/1", "bench": json.loads(out.read_text())}
    out.write_text(json.dumps({**quick, "accuracy": accuracy, "verify": {"binary": {"ok": True}}}))
    assert irnet("report", out, "-o", page).returncode == 0
    assert "43.21 %" in page.read_text()
    assert "binary / ok" in page.read_text()


def test_eval_command_matches_the_interpreter(files: list[Path]) -> None:
    answer = irnet("eval", files[0], "--data", "sample", "--limit", 300, "--json", "-")
    assert answer.returncode == 0, answer.stderr
    value = json.loads(answer.stdout)
    sample = load_sample().test[:300]
    with TFLiteProcess(files[0]) as process:
        right = np.argmax(process.run(preprocess(sample.images)), -1) == sample.labels
    assert value == {
        "accuracy": right.mean(),
        "num_examples": 300,
        "model": str(files[0]),
        "runtime": value["runtime"],
    }
    assert value["runtime"].startswith("LiteRT")


def test_bad_input_is_one_line_and_status_2(files: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "text.tflite"
    text.write_text("not a model")
    for arguments, message in [
        (["bench", tmp_path / "none.tflite"], "cannot read"),
        (["bench", text], "not a .tflite file"),
        (["bench", files[0], "--threads", 0], "threads must be at least 1"),
        (["bench", files[0], "--json", tmp_path / "no" / "b.json"], "does not exist"),
        (["report", text], "is not JSON"),
        (["report", files[0]], "is not JSON"),
        (["eval", text, "--data", "sample"], "not a .tflite file"),
        (["eval", files[0], "--data", "mnist"], "--data must be one of"),
        (["eval", files[0], "--data", "sample", "--split", "train"], "only the split test"),
        (["eval", files[1], "--data", "sample"], "takes inputs of shape"),
    ]:
        answer = irnet(*arguments)
        assert answer.returncode == 2, arguments
        assert answer.stdout == ""
        last = answer.stderr.splitlines()[-1]
        assert last.startswith("irnet: error: ")
        assert message in last
        assert "Traceback" not in answer.stderr
