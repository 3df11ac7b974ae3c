"""Gates, and two results side by side."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from results import example

from edge_bench.compare import compare
from edge_bench.gates import Gates, check, failures
from edge_bench.schema import BenchResult, parse_bench
from edge_bench.statistics import permutation_p_value, summarize
from irnet_keras.errors import CheckFailed, UsageError


def changed(factors: dict[str, float], **more: object) -> BenchResult:
    """The example with the samples of some builds multiplied."""
    value = example().model_dump(mode="json")
    for build in value["builds"]:
        samples = [s * factors.get(build["name"], 1) for s in build["samples_ms"]]
        summary = summarize(samples)
        build |= {"samples_ms": samples, "median_ms": summary.median, **more}
    return parse_bench(value, "changed")


def test_gates_name_what_was_missed_and_by_how_much() -> None:
    result = example().with_accuracy(
        {n: {"accuracy": 0.8, "num_examples": 1000} for n in ("float32", "int8", "w1a1")}
    )
    gates = Gates(min_accuracy=0.81, max_latency_ms=2.5, max_size_mb=0.4, min_speedup=0.6)
    assert failures(result, gates) == [
        "int8: accuracy 0.8000 of 1,000 images is below --min-accuracy 0.81",
        "int8: size 0.5 MB is above --max-size-mb 0.4",
        "int8: 0.500 times as fast as float32 (0.476 to 0.526) is below --min-speedup 0.6",
        "w1a1: accuracy 0.8000 of 1,000 images is below --min-accuracy 0.81",
        f"w1a1: median {result.builds[2].median_ms:.3f} ms is above --max-latency-ms 2.5",
        "w1a1: 0.500 times as fast as float32 (0.476 to 0.526) is below --min-speedup 0.6",
    ]
    with pytest.raises(CheckFailed, match=r"^int8: accuracy .*; w1a1: 0\.500 times"):
        check(result, gates)
    check(result, Gates(min_accuracy=0.8, max_latency_ms=3.1, max_size_mb=0.5, min_speedup=0.5))
    check(result, Gates())


def test_one_build_is_judged_itself() -> None:
    alone = example("only")
    assert failures(alone, Gates(max_size_mb=0.5)) == ["only: size 1 MB is above --max-size-mb 0.5"]
    with pytest.raises(UsageError, match="--min-speedup needs a second file"):
        check(alone, Gates(min_speedup=2))
    with pytest.raises(UsageError, match="--min-accuracy needs --data"):
        check(alone, Gates(min_accuracy=0.5))


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"min_accuracy": 80}, "--min-accuracy must be from 0 to 1, got 80"),
        ({"max_latency_ms": 0}, "--max-latency-ms must be a number above 0, got 0"),
        ({"max_size_mb": float("nan")}, "--max-size-mb must be a number above 0, got nan"),
        ({"min_speedup": float("inf")}, "--min-speedup must be a number above 0, got inf"),
    ],
)
def test_impossible_limits_are_refused(limit: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Gates(**limit)


def test_permutation_p_value_by_hand() -> None:
    """Of the 6 ways to split {1, 1, 3, 3} in two pairs, 2 are as far apart as observed."""
    p = permutation_p_value([1.0, 1.0], [3.0, 3.0], seed=1, resamples=20_000)
    assert p == pytest.approx(2 / 6, abs=0.015)  # binomial standard error 0.0033
    assert permutation_p_value([2.0] * 9, [2.0] * 9, seed=1) == 1.0
    with pytest.raises(ValueError, match="both sides need samples"):
        permutation_p_value([], [1.0], seed=1)


def test_permutation_test_keeps_its_level(seed: int) -> None:
    """Without a difference, p < 0.05 in about 5 % of 200 cases (standard error 1.5 %)."""
    rng = np.random.default_rng(seed)
    hits = sum(
        permutation_p_value(*rng.lognormal(0, 0.3, (2, 40)), seed=i, resamples=400) < 0.05
        for i in range(200)
    )
    assert hits / 200 <= 0.1


def test_only_what_changed_is_called_changed() -> None:
    result = compare(example(), changed({"w1a1": 0.9, "int8": 1.2}))
    assert [(c.name, c.verdict) for c in result.changes] == [
        ("float32", "no difference shown"), ("int8", "slower"), ("w1a1", "faster"),
    ]  # fmt: skip
    assert [c.ratio for c in result.changes] == pytest.approx([1, 1.2, 0.9])
    for change in result.changes:
        assert change.low <= change.ratio <= change.high
        assert change.same_file
    # three builds: the smallest p-value 1/2001 becomes 3/2001
    assert [c.p for c in result.changes] == pytest.approx([1, 3 / 2001, 3 / 2001])
    assert result.warnings == ()
    assert result == compare(example(), changed({"w1a1": 0.9, "int8": 1.2}))


def test_a_change_below_the_minimum_effect_is_none() -> None:
    """The example's samples spread by 2 %, so its intervals reach about 1 % to each side."""
    shifted = changed({"float32": 1.03, "int8": 1.06, "w1a1": 0.94})
    result = compare(example(), shifted)
    assert [c.p < 0.05 for c in result.changes] == [True] * 3
    assert [c.verdict for c in result.changes] == ["no difference shown", "slower", "faster"]
    result = compare(example(), shifted, min_effect=0)
    assert [c.verdict for c in result.changes] == ["slower", "slower", "faster"]
    assert result.as_json()["min_effect"] == 0
    result = compare(example(), shifted, min_effect=0.08)
    assert {c.verdict for c in result.changes} == {"no difference shown"}
    for bad in (-0.01, 1.5, float("nan")):
        with pytest.raises(UsageError, match=f"--min-effect must be from 0 to 1, got {bad:g}"):
            compare(example(), example(), min_effect=bad)


def test_all_builds_slower_is_said_to_be_perhaps_the_machine() -> None:
    slower = changed({"float32": 1.5, "int8": 1.5, "w1a1": 1.4})
    assert compare(example(), slower).warnings == (
        "local: every build is slower: the machine may have changed rather than the builds",
    )
    assert compare(example(), changed({"float32": 1.5, "int8": 1.5})).warnings == ()
    one = parse_bench(
        {**slower.model_dump(mode="json"), "builds": slower.model_dump(mode="json")["builds"][:1]},
        "x",
    )
    assert compare(example(), one).warnings == ()


def test_accuracies_are_compared_with_their_margin() -> None:
    old = example("a").with_accuracy({"a": {"accuracy": 0.9, "num_examples": 900}})
    new = example("a").with_accuracy({"a": {"accuracy": 0.8, "num_examples": 1600}})
    (change,) = compare(old, new).changes
    assert change.accuracy_change == pytest.approx(-0.1)
    # 1.96 * sqrt(.9 * .1 / 900 + .8 * .2 / 1600)
    assert change.accuracy_margin == pytest.approx(1.96 * (2e-4) ** 0.5)
    assert compare(old, example("a")).changes[0].accuracy_change is None


def test_other_conditions_and_builds_are_said() -> None:
    value = changed({}, threads=2, engine="LCE").model_dump(mode="json")
    value["devices"][0] |= {"cpu_model": "Cortex-A53", "warnings": ["it was hot"]}
    value["builds"][0]["name"] = "float16"
    result = compare(example(), parse_bench(value, "x"))
    assert (result.only_old, result.only_new) == (("local / float32",), ("local / float16",))
    assert result.warnings[:2] == (
        "local: another CPU: Cortex-A72 and Cortex-A53", "local, new: it was hot",
    )  # fmt: skip
    assert "local / int8: another engine: LiteRT 2.3.0 + XNNPACK and LCE" in result.warnings
    assert "local / w1a1: another number of threads: 1 and 2" in result.warnings
    with pytest.raises(UsageError, match="no build in common: local / a and local / b"):
        compare(example("a"), example("b"))


def test_names_do_not_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    value = example("float32", "a\x1b[31mb").model_dump(mode="json")
    value["devices"][0]["warnings"] = ["hot\x1b[2J"]
    path.write_text(json.dumps(value))
    command = [sys.executable, "-m", "irnet_cli", "compare", path, path]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "a?[31mb" in answer.stdout
    assert "\x1b" not in answer.stdout + answer.stderr


def test_compare_command(tmp_path: Path) -> None:
    old, new, out = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "c.json"
    old.write_text(example().model_dump_json())
    new.write_text(changed({"w1a1": 0.9}).model_dump_json())
    command = [sys.executable, "-m", "irnet_cli", "compare", old, new]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "faster" in answer.stdout
    answer = subprocess.run([*command, "--json", out], capture_output=True, text=True)
    value = json.loads(out.read_text())
    assert value["schema_id"] == "irnet.compare/1"
    assert [c["verdict"] for c in value["changes"]][-1] == "faster"
