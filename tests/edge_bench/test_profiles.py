"""Times of operators beside what explain knows of them; gates of the command."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import larq as lq
import larq_compute_engine as lce
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from converters.explain import Explanation, explain
from converters.graph import read_graph
from edge_bench.cures import LEFTOVERS, STEM, STRICT, cure_of
from edge_bench.profiles import where_time_goes, with_explanation
from edge_bench.schema import BenchResult, OpRow, parse_bench
from edge_bench.tools import LceDelegate, ModelFile, OpTime, ToolOptions
from irnet_cli.app import app
from irnet_keras.errors import UsageError


@pytest.fixture(scope="module")
def found(two_files: list[Path]) -> Explanation:
    return explain(read_graph(two_files[1]), "binary")


def irnet_bench(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "irnet_cli", "bench", "--num-runs", "30", "--warmup-runs", "0"]
    return subprocess.run([*command, *map(str, words)], capture_output=True, text=True)


def test_rows_of_the_delegate_get_kind_and_hint(two_files: list[Path], found: Explanation) -> None:
    """Of what the real tool prints: every row with a node is an operator of the file."""
    options = ToolOptions(num_runs=5, warmup_runs=1, enable_op_profiling=True)
    command = LceDelegate((sys.executable,)).argv(str(two_files[1]), options)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    data = two_files[1].read_bytes()
    model = ModelFile(hashlib.sha256(data).hexdigest(), len(data))
    rows = with_explanation(LceDelegate().parse(done.stdout, "log", model).profile, found)
    binary = [row for row in rows if row.node is not None]
    assert {row.op for row in binary} == {op.op for op in found.ops if op.kind == "1-bit"}
    for row in binary:
        assert row.node is not None
        assert (row.kind, row.name) == ("1-bit", found.ops[row.node].name)
    (rest,) = [row for row in rows if row.node is None]
    assert (rest.kind, rest.hint) == (None, None)


def test_rows_that_stand_for_many_operators_get_none(found: Explanation) -> None:
    first = found.ops[0]
    own, part, other, far = with_explanation(
        [
            OpTime(first.op, "printed name", first.index, 1.0, 0.5),
            OpTime("LceDelegate", "", first.index, 0.5, 0.25),
            OpTime("Delegate/Convolution:0", "", None, 0.5, 0.25),
            OpTime("CONV_2D", "", 999, 0.0, 0.0),
        ],
        found,
    )
    assert (own.kind, own.hint, own.name) == (
        first.kind, first.why_not_1bit or first.note, "printed name",
    )  # fmt: skip
    assert [row.kind for row in (part, other, far)] == [None] * 3
    rest = OpTime("other operators (runtime)", "", None, -1e-9, -1e-12)  # of two clocks
    assert [(r.mean_ms, r.share) for r in with_explanation([rest], found)] == [(0.0, 0.0)]


def test_cures_follow_from_the_reasons() -> None:
    tf.keras.utils.set_random_seed(1)
    stem = tf.keras.layers.Conv2D(64, 3, input_shape=(8, 8, 3))
    signs = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "use_bias": False}
    silent = lq.layers.QuantConv2D(64, 3, **{**signs, "kernel_quantizer": None})
    head = [tf.keras.layers.GlobalAveragePooling2D(), tf.keras.layers.Dense(10)]
    model = tf.keras.Sequential([stem, silent, lq.layers.QuantConv2D(64, 3, **signs), *head])
    file = explain(read_graph(lce.convert_keras_model(model)), "model")
    cures = [(op.op, cure_of(op)) for op in file.ops if op.op in ("CONV_2D", "FULLY_CONNECTED")]
    assert cures == [("CONV_2D", STEM), ("CONV_2D", STRICT), ("FULLY_CONNECTED", LEFTOVERS)]
    rows = [OpTime(op.op, "", op.index, 1.0, 0.1) for op in file.ops]
    merged = with_explanation(rows, file)
    assert [row.cure for row in merged] == [cure_of(op) for op in file.ops]
    assert {row.cure for row in merged if row.kind == "1-bit"} == {None}


def test_like_operators_are_one_line_the_longest_first() -> None:
    rows = [
        OpRow(op="CONV_2D", name="", node=0, mean_ms=1.0, share=0.5, kind="float", hint="stem"),
        OpRow(op="ADD", name="", node=2, mean_ms=0.25, share=0.125, hint="reads CONV_2D 1 twice"),
        OpRow(op="LceBconv2d", name="", node=1, mean_ms=0.5, share=0.25, fused=["ADD"]),
        OpRow(op="ADD", name="", node=4, mean_ms=0.25, share=0.125, hint="reads CONV_2D 3 twice"),
    ]
    groups = where_time_goes(rows)
    assert [(g.op, g.count, g.ms, g.share) for g in groups] == [
        ("CONV_2D", 1, 1.0, 0.5), ("ADD", 2, 0.5, 0.25), ("LceBconv2d + ADD", 1, 0.5, 0.25),
    ]  # fmt: skip
    assert [g.hint for g in groups] == ["stem", "reads CONV_2D twice", None]
    assert where_time_goes(rows, shown=1) == groups[:1]
    assert where_time_goes([]) == []


def test_bench_command_profiles_and_gates(two_files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "b.json"
    answer = irnet_bench(
        *two_files, "--enable-op-profiling", "--json", out,
        "--max-size-mb", 1000, "--max-latency-ms", 1e6, "--min-speedup", 1e-6,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    result: BenchResult = parse_bench(json.loads(out.read_text()), "b")
    for build in result.builds:
        assert sum(row.share for row in build.profile) == pytest.approx(1)
        assert {row.kind for row in build.profile} <= {"1-bit", "float", "int8", "other"}
    assert {row.kind for row in result.builds[1].profile} >= {"1-bit"}
    assert str(two_files[0].parent) not in out.read_text()
    assert result.builds[0].path == "float32.tflite"

    out.unlink()
    answer = irnet_bench(*two_files, "--json", out, "--max-size-mb", 1e-6, "--min-speedup", 1e6)
    assert answer.returncode == 1
    parse_bench(json.loads(out.read_text()), "b")  # measured all the same
    last = answer.stderr.splitlines()[-1]
    size = two_files[1].stat().st_size / 1e6
    assert last.startswith(f"irnet: error: binary: size {size:.6g} MB is above --max-size-mb 1e-06")
    assert "is below --min-speedup 1e+06" in last


def test_gates_that_cannot_be_judged_are_usage_errors(two_files: list[Path]) -> None:
    for words, message in [
        (["--min-accuracy", 0.9], "--min-accuracy needs --data"),
        (["--min-speedup", 2], "--min-speedup needs a second file"),
        (["--use-indirect-bgemm"], "--use-indirect-bgemm goes with a tool"),
        (["--min-secs", 2], "--min-secs goes with a tool"),
        (["--data-dir", "x"], "--data-dir goes with --data"),
        (
            ["--use-indirect-bgemm", "--tool", "lce_delegate"],
            "are flags of lce_benchmark_model, the tool is lce_delegate",
        ),
        (["--max-size-mb", -1], "--max-size-mb must be a number above 0, got -1"),
    ]:
        arguments = ["bench", two_files[0], *words]
        with pytest.raises(UsageError, match=re.escape(message)):
            CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
