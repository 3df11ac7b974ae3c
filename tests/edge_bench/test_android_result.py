"""The result file of the Android app is one of ours."""

import json
from pathlib import Path

from edge_bench.schema import parse_bench
from edge_bench.statistics import summarize

# Made by the app's Java, whose own test compares it.
FILE = Path(__file__).parents[2] / "android_demo/core/src/test/resources/comparison.json"


def test_the_apps_json_is_a_benchmark_result():
    result = parse_bench(json.loads(FILE.read_text(encoding="utf-8")), FILE.name)
    first, second = result.builds
    assert (first.threads, first.warmup_runs, len(first.samples_ms)) == (2, 10, 30)
    for build in result.builds:
        summary = summarize(build.samples_ms)
        assert build.median_ms == summary.median
        assert build.mad_ms == summary.mad
        assert build.p90_ms == summary.p90
        assert build.min_ms == summary.minimum
    assert first.ratio is None
    assert second.ratio is not None
    assert second.ratio.to == first.name
    assert second.ratio.value == second.median_ms / first.median_ms
    assert second.ratio.low < second.ratio.value < second.ratio.high
