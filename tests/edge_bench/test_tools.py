"""The tools' arguments and logs, in several versions; what is missing or odd is refused."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_files import binary_conv, write_lce

from edge_bench.tools import (
    BenchmarkModel,
    LceBenchmarkModel,
    LceDelegate,
    LogError,
    ModelFile,
    ToolOptions,
    ToolResult,
)
from irnet_keras.errors import UsageError

LOGS = Path(__file__).parent / "logs"
FILE = ModelFile("0" * 64, 64652)
TOOL = BenchmarkModel("benchmark_model")


def parse(name: str) -> ToolResult:
    return TOOL.parse((LOGS / name).read_text(), LOGS / name, FILE)


@pytest.mark.parametrize(
    ("name", "init", "warmup", "inference"),
    [
        ("tf_2_3.txt", 3501, (12, 156677, 43268.1), (50, 33228, 33071.8)),
        ("tf_2_8_lce.txt", 2114, (242, 3678, 2065.25), (491, 2011, 2034.08)),
        ("tf_2_18.txt", 12032, (451, 1804, 1108.44), (902, 1107, 1106.12)),
        ("android_logcat.txt", 12032, (451, 1804, 1108.44), (902, 1107, 1106.12)),
        ("one_run.txt", 4200, (1, 1058871, 1058871), (2, 1023456, 1023456)),
    ],
)
def test_every_version_gives_its_numbers(name: str, init: float, warmup, inference) -> None:
    result = parse(name)
    assert result.init_us == init
    assert result.warmup is not None
    for stats, expected in ((result.warmup, warmup), (result.inference, inference)):
        assert (stats.count, stats.first, stats.mean) == expected
    assert result.samples_us == ()


def test_what_versions_add_is_read_where_it_is() -> None:
    old, new = parse("tf_2_3.txt"), parse("tf_2_18.txt")
    assert (old.inference.minimum, old.inference.maximum, old.inference.std) == (32687, 33239, 129)
    assert (old.inference.median, old.delegate, old.memory_mib) == (None, None, 2.4375)
    assert (new.inference.p5, new.inference.median, new.inference.p95) == (1098, 1104, 1118)
    assert new.memory_mib == 4.25
    assert new.delegate is not None
    assert "partially executed by the delegate w/ 5 delegate kernels" in new.delegate
    assert parse("one_run.txt").inference.std == 0


def test_columns_of_the_profile_follow_its_header() -> None:
    with_start = parse("tf_2_8_lce.txt").profile
    assert [(op.op, op.node, op.mean_ms) for op in with_start] == [
        ("CONV_2D", 0, 1.0), ("LceQuantize", 1, 0.1), ("LceBconv2d", 2, 0.7),
        ("FULLY_CONNECTED", 3, 0.2),
    ]  # fmt: skip
    assert [op.name for op in with_start][:2] == [
        "model/conv/Conv2D",
        "model/quant_conv/LceQuantize",
    ]
    assert [op.share for op in with_start] == pytest.approx([0.5, 0.05, 0.35, 0.1])
    without = parse("tf_2_18.txt").profile
    assert [(op.op, op.node) for op in without] == [
        ("Convolution (NHWC, F32) IGEMM", None),
        ("Fully Connected (NC, F32) GEMM x 1e+00", None),
        ("LceDelegate", 7),
    ]
    # the second is called twice in a run: 2 * 0.05 ms
    assert [op.mean_ms for op in without] == pytest.approx([0.4, 0.1, 0.5])
    assert parse("tf_2_3.txt").profile == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("INFO: STARTING!", "INFO: starting"), "no line 'STARTING!'"),
        (("Loaded model", "Read model"), "no line 'Loaded model ...'"),
        (("Inference timings in us", "Inference timings in ms"), "no line 'Inference timings"),
        (("Inference (avg): 2034.08", "Inference (avg): 0"), "'0' is not a possible value"),
        (("Inference (avg): 2034.08", "Inference (avg): nan"), "'nan' is not a possible value"),
        (("Inference (avg): 2034.08", "Inference (avg): 2100"), "2100 us in the summary but"),
        (("Init: 2114, ", ""), "is not as known"),
        (("Initialized session in 2.114ms", "Initialized session soon"), "no line 'Initialized"),
        (("count=491 first=2011", "count=0 first=2011"), "timed no run"),
        (("min=1996 ", ""), "has no min="),
        (("min=1996 ", "min=2500 "), "mean is outside of min and max"),
        (("curr=2031", "curr=garbage"), "'garbage' is not a possible value"),
        (("INFO: count=491", "count 491"), "no 'count=' line follows 'Running benchmark"),
        (("Running benchmark for at least 50", "Running benchmark 50"), "is not as known"),
        (("init=1.5 overall", "init=1.5 total"), "is not as known"),
        (("(MB): 0.064652", "(MB): 0.064653"), "a file of 0.064653 MB, not of 0.064652 MB"),
        (("    1.000\t 50.000%", "    1.000\t 50.000"), "does not fit its header"),
        (("[avg ms]\t     [%]", "[mean]\t     [%]"), "columns .* are not as known"),
        (("Run Order", "Order"), "no table 'Run Order'"),
    ],
)  # fmt: skip
def test_what_is_missing_or_odd_is_an_error_that_names_the_log(
    change: tuple[str, str], message: str
) -> None:
    text = (LOGS / "tf_2_8_lce.txt").read_text()
    assert change[0] in text
    with pytest.raises(LogError, match=message) as error:
        TOOL.parse(text.replace(*change), "kept/raw.log", FILE)
    assert str(error.value).endswith("raw log: kept/raw.log")
    assert error.value.exit_code == 1


def test_no_line_of_the_log_can_be_left_out_unnoticed() -> None:
    """Of the lines with numbers: cutting any of them never gives another number."""
    lines = (LOGS / "tf_2_18.txt").read_text().splitlines(keepends=True)
    whole = parse("tf_2_18.txt")
    for i in range(len(lines)):
        try:
            result = TOOL.parse("".join(lines[:i] + lines[i + 1 :]), "raw.log", FILE)
        except LogError:
            continue
        assert (result.inference, result.warmup, result.init_us) == (
            whole.inference, whole.warmup, whole.init_us,
        )  # fmt: skip


@given(st.data())
def test_damaged_logs_are_read_or_refused_nothing_else(data: st.DataObject) -> None:
    """Up to three places of a real-looking log replaced by other text."""
    text = LOGS / data.draw(st.sampled_from(["tf_2_3.txt", "tf_2_8_lce.txt", "tf_2_18.txt"]))
    damaged = text.read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        length = data.draw(st.integers(0, 40))
        other = data.draw(st.text(st.sampled_from("0123456789.e+-=[]% \t\nnaif"), max_size=8))
        damaged = damaged[:at] + other + damaged[at + length :]
    try:
        result = TOOL.parse(damaged, "raw.log", FILE)
    except LogError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert refusal.endswith("raw log: raw.log")
        return
    assert result.inference.mean > 0
    assert result.inference.count >= 1
    assert sum(op.share for op in result.profile) == pytest.approx(1 if result.profile else 0)


def test_another_tool_of_the_same_name_is_told_apart() -> None:
    text = (LOGS / "tf_2_18.txt").read_text()
    line = "INFO: [litert/tools/benchmark_litert_model.cc:137] Loading model from: m.tflite\n"
    with pytest.raises(LogError, match="the tool of LiteRT's CompiledModel"):
        TOOL.parse(text.replace("INFO: Loaded model m.tflite\n", line), "raw.log", FILE)


@pytest.mark.parametrize("text", ["", "\n", "garbage\x00\xff", "STARTING!\n", "count=1 curr=5\n"])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(LogError, match=r"raw log: raw\.log"):
        TOOL.parse(text, "raw.log", FILE)
    with pytest.raises(LogError, match=r"raw log: raw\.log"):
        LceDelegate().parse(text, "raw.log", FILE)


def test_a_tool_that_says_it_failed_is_quoted() -> None:
    with pytest.raises(LogError, match="unresolved custom op: LceQuantize"):
        parse("failed.txt")


def test_flags_mirror_the_tools() -> None:
    assert TOOL.argv("m.tflite", ToolOptions()) == [
        "benchmark_model", "--graph=m.tflite", "--num_threads=1", "--num_runs=50",
        "--warmup_runs=1", "--min_secs=1", "--max_secs=150", "--warmup_min_secs=0.5",
    ]  # fmt: skip
    options = ToolOptions(use_xnnpack=False, enable_op_profiling=True, kernel="neon")
    words = BenchmarkModel("b", delegate="d.so").argv("m.tflite", options)
    assert words[8:] == [
        "--enable_op_profiling=true", "--use_xnnpack=false", "--external_delegate_path=d.so",
        "--external_delegate_options=kernel:neon",
    ]  # fmt: skip
    lce = LceBenchmarkModel("lce", use_indirect_bgemm=True)
    assert lce.argv("m.tflite", ToolOptions(use_xnnpack=True))[8:] == [
        "--use_xnnpack=true", "--use_indirect_bgemm=true",
    ]  # fmt: skip
    text = (LOGS / "tf_2_8_lce.txt").read_text()
    assert lce.parse(text, "log", FILE).kernel == "indirect"
    assert (lce.kernels, LceBenchmarkModel("lce", True).kernels) == ("indirect", "reference")
    for tool in (lce, TOOL):
        with pytest.raises(UsageError, match="--kernel 'neon' is for the delegate"):
            tool.argv("m.tflite", options)
    assert (lce.warmup_runs(ToolOptions()), LceDelegate().warmup_runs(ToolOptions())) == (1, 10)
    asked = ToolOptions(warmup_runs=0)
    assert (TOOL.warmup_runs(asked), LceDelegate().warmup_runs(asked)) == (0, 0)
    with pytest.raises(UsageError, match="--no-use-xnnpack is not an option of lce_delegate"):
        LceDelegate().argv("m.tflite", options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_runs": 0}, "--num-runs must be at least 1, got 0"),
        ({"warmup_runs": -1}, "--warmup-runs must be at least 0, got -1"),
        ({"min_secs": -1}, "--min-secs must be 0 to 3600, got -1"),
        ({"max_secs": float("nan")}, "--max-secs must be 0 to 3600, got nan"),
        ({"min_secs": 5, "max_secs": 4}, "not below --min-secs 5, got 4"),
        ({"min_secs": 0, "max_secs": 0}, "--max-secs must be above 0"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ToolOptions(**options)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelFile, str]:
    """A small file, and what the device package's benchmark prints of it here."""
    path = write_lce(binary_conv(), tmp_path_factory.mktemp("tools") / "binary.tflite")
    data = path.read_bytes()
    options = ToolOptions(num_runs=30, warmup_runs=2, enable_op_profiling=True, kernel="scalar")
    command = LceDelegate((sys.executable,)).argv(str(path), options)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return ModelFile(hashlib.sha256(data).hexdigest(), len(data)), done.stdout


def test_the_device_packages_benchmark_gives_every_sample(real: tuple[ModelFile, str]) -> None:
    model, text = real
    result = LceDelegate().parse(text, "raw.log", model)
    value = json.loads(text)
    assert result.samples_us == tuple(1e3 * ms for ms in value["samples_ms"])
    assert len(result.samples_us) == result.inference.count == 30
    assert result.inference.median == pytest.approx(1e3 * value["median_ms"], rel=1e-12)
    assert result.inference.mean == pytest.approx(np.mean(result.samples_us), rel=1e-12)
    assert (result.kernel, result.model_sha256) == ("scalar", model.sha256)
    assert result.runtime is not None
    assert result.runtime.startswith("LiteRT ")
    assert "LceBconv2d" in [op.op for op in result.profile]
    assert sum(op.share for op in result.profile) == pytest.approx(1)


def test_a_stale_or_cut_answer_of_the_device_package_is_refused(
    real: tuple[ModelFile, str],
) -> None:
    model, text = real
    with pytest.raises(LogError, match=f"{model.sha256}, not {'1' * 64}; raw log: raw.log"):
        LceDelegate().parse(text, "raw.log", ModelFile("1" * 64, model.size_bytes))
    for change, message in [
        ({"samples_ms": [0.0]}, r"samples_ms\.0: Input should be greater than 0"),
        ({"samples_ms": []}, "samples_ms: List should have at least 1 item"),
        ({"samples_ms": [10**400]}, "samples_ms"),
        ({"runs": 29}, "30 samples of 29 runs"),
        ({"profile": [{}]}, r"profile\.0\.node: Field required"),
        ({"runtime": None}, "runtime: Input should be"),
        ({"kernel": 3}, "kernel: Input should be"),
        ({"kernel": "\x1b[2J"}, "kernel: String should match pattern"),
        ({"delegate": "x" * 1001}, "delegate: String should have at most 1000"),
    ]:
        with pytest.raises(LogError, match=message):
            LceDelegate().parse(json.dumps({**json.loads(text), **change}), "raw.log", model)
    with pytest.raises(LogError, match="not the JSON of lce_delegate bench"):
        LceDelegate().parse(text[:-20], "raw.log", model)
