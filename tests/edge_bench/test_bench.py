"""The benchmark and its commands on real files. No test depends on how fast anything is."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_files import binary_conv, random_resnet20, small_classifier, write_float, write_lce

from converters.runtimes import TFLiteProcess, process
from edge_bench.local import bench, every_runtime, unique_names
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
    assert "lce_delegate" in second.engine
    assert (result.context.rounds, result.context.seed) == (4, seed)
    assert "lce-delegate" in result.context.versions
    assert any("lce_delegate" in line for line in lines)


def test_a_file_with_larq_operators_is_measured_in_every_runtime_others_once(
    files: list[Path],
) -> None:
    both = every_runtime(files, ["delegate", "lce"])
    assert both == (
        [files[0], files[1], files[1]],
        ["float32", "binary (delegate)", "binary (LCE)"],
        ["delegate", "delegate", "lce"],
    )
    assert every_runtime(files, ["lce", "auto", "delegate"])[1] == [
        "float32", "binary (LCE)", "binary (delegate)",
    ]  # fmt: skip
    for alone in (["auto"], ["lce"], ["delegate", "auto"]):
        assert every_runtime(files, alone)[1:] == (["float32", "binary"], [alone[0]] * 2)
    result = bench(both[0], names=both[1], runtimes=both[2], num_runs=30, warmup_runs=0)
    assert [b.name for b in result.builds] == both[1]
    engines = [b.engine for b in result.builds]
    assert [e.split()[0] for e in engines] == ["LiteRT", "LiteRT", "LCE"]
    assert ["lce_delegate" in e for e in engines] == [False, True, False]
    assert result.builds[1].sha256 == result.builds[2].sha256


def test_the_kernel_set_goes_to_the_delegate_only(files: list[Path]) -> None:
    result = bench(files, kernel="scalar", num_runs=30, warmup_runs=0)
    assert ["(scalar)" in b.engine for b in result.builds] == [False, True]
    assert [b.kernel for b in result.builds] == [None, "scalar"]
    assert [b.warnings for b in result.builds] == [
        [], ["binary operators ran in scalar kernels (scalar), not in SIMD"],
    ]  # fmt: skip


def test_hash_and_size_are_those_of_the_bytes_that_ran(files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "gone.tflite"
    path.write_bytes(files[1].read_bytes())

    def log(line: str) -> None:
        if line.startswith("measuring"):
            path.unlink()

    (build,) = bench([path], num_runs=30, warmup_runs=0, log=log).builds
    assert build.size_bytes == files[1].stat().st_size
    assert build.sha256 == hashlib.sha256(files[1].read_bytes()).hexdigest()


def test_the_limit_of_threads_is_the_delegates() -> None:
    from lce_delegate._load import MAX_THREADS

    assert process.MAX_THREADS == MAX_THREADS


def test_same_file_twice_gets_two_names(files: list[Path]) -> None:
    assert unique_names([files[0], files[1], files[0], files[0]]) == [
        "float32", "binary", "float32#2", "float32#3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_runs": 29}, "--num-runs must be at least 30, got 29"),
        ({"threads": 0}, "--threads must be from 1 to 32, got 0"),
        ({"threads": 33}, "--threads must be from 1 to 32, got 33"),
        ({"warmup_runs": -1}, "--warmup-runs must be at least 0, got -1"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"names": ["a", "a"]}, "2 files need as many different names"),
        ({"runtimes": ["auto"]}, "2 files need as many runtimes, got 1"),
        ({"runtimes": ["auto", "xla"]}, "--runtime must be one of auto, delegate, lce, got 'xla'"),
        ({"kernel": "mmx"}, "--kernel must be one of auto, .*, got 'mmx'"),
        (
            {"kernel": "scalar", "runtimes": ["auto", "lce"]},
            "--kernel 'scalar': none of the files runs in the delegate",
        ),
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


def test_bench_command_compares_runtimes(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "b.json"
    answer = irnet(
        "bench", *files, "--runtime", "delegate", "--runtime", "lce", "--kernel", "scalar",
        "--num-runs", 30, "--warmup-runs", 0, "--json", out,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    result = parse_bench(json.loads(out.read_text()), "b.json")
    assert [b.name for b in result.builds] == ["float32", "binary (delegate)", "binary (LCE)"]
    assert "(scalar)" in result.builds[1].engine
    assert result.builds[2].engine.startswith("LCE ")
    assert "binary (LCE)" in answer.stdout


@pytest.fixture(scope="module")
def binary_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lce(random_resnet20(3), tmp_path_factory.mktemp("eval") / "resnet20.tflite")


def test_eval_command_runs_in_the_chosen_runtime(binary_classifier: Path) -> None:
    results = {}
    for runtime in ("auto", "lce"):
        answer = irnet(
            "eval", binary_classifier, "--data", "sample", "--limit", 200,
            "--runtime", runtime, "--json", "-",
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        results[runtime] = json.loads(answer.stdout)
    assert "lce_delegate" in results["auto"]["runtime"]
    assert results["lce"]["runtime"].startswith("LCE ")
    assert results["auto"]["accuracy"] == results["lce"]["accuracy"]


def test_eval_command_matches_the_interpreter(files: list[Path]) -> None:
    answer = irnet("eval", files[0], "--data", "sample", "--limit", 300, "--json", "-")
    assert answer.returncode == 0, answer.stderr
    value = json.loads(answer.stdout)
    sample = load_sample().test[:300]
    with TFLiteProcess(files[0]) as one:
        right = np.argmax(one.run(preprocess(sample.images)), -1) == sample.labels
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
        (["bench", files[0], "--threads", 0], "--threads must be from 1 to 32"),
        (["bench", files[0], "--json", tmp_path / "no" / "b.json"], "does not exist"),
        (["report", text], "is not JSON"),
        (["report", files[0]], "is not JSON"),
        (["eval", text, "--data", "sample"], "not a .tflite file"),
        (
            ["eval", files[0], "--data", "mnist"],
            "--data must be a folder of images or one of these data sets, got 'mnist'",
        ),
        (
            ["eval", files[0], "--data", "sample", "--split", "train"],
            "--split must be test for --data sample",
        ),
        (["eval", files[1], "--data", "sample"], "takes inputs of shape"),
        (["bench", files[1], "--kernel", "mmx"], "--kernel must be one of auto, "),
        (["bench", files[0], "--kernel", "scalar"], "none of the files runs in the delegate"),
        (["bench", files[1], "--runtime", "tpu"], "--runtime must be one of auto, delegate, lce"),
        (["eval", files[1], "--data", "sample", "--runtime", "tpu"], "--runtime must be one of"),
        (["eval", files[0], "--data", "sample", "--kernel", "scalar"], "runs in LiteRT alone"),
        (
            ["eval", files[1], "--data", "sample", "--runtime", "lce", "--kernel", "scalar"],
            "--kernel 'scalar' is for the delegate, but the file runs in LCE's interpreter",
        ),
        (["verify", "resnet20-w1a1-cifar10", files[1], "--runtime", "tpu"], "--runtime must be"),
    ]:
        answer = irnet(*arguments)
        assert answer.returncode == 2, arguments
        assert answer.stdout == ""
        last = answer.stderr.splitlines()[-1]
        assert last.startswith("irnet: error: ")
        assert message in last
        assert "Traceback" not in answer.stderr
