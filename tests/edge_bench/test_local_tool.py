"""A tool on this machine: our statistics are those of the tool's own numbers, on the same run."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_bench.remote import Plan, bench_on
from edge_bench.remote_calls import Logs
from edge_bench.remote_result import Measured, build_of
from edge_bench.remote_tools import Ready
from edge_bench.schema import ToolInfo
from edge_bench.targets import parse_address
from edge_bench.tools import BenchmarkModel, ModelFile, ToolOptions

LOGS = Path(__file__).parent / "logs"


def test_statistics_are_those_of_the_tools_raw_logs(two_files: list[Path], tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    plan = Plan(two_files, tool="lce_delegate", options=ToolOptions(num_runs=31), rounds=2)
    result = bench_on([parse_address("local")], plan, Logs(logs, resume=False))
    said = [json.loads(path.read_text()) for path in logs.glob("*.log")]
    assert len(said) == 4
    for build in result.builds:
        own = [s for s in said if s["sha256"] == build.sha256]
        assert sorted(c.count for c in build.calls) == [15, 16]
        assert sorted(c.median_ms or 0 for c in build.calls) == pytest.approx(
            sorted(s["median_ms"] for s in own), rel=1e-9
        )
        samples = [ms for s in own for ms in s["samples_ms"]]
        assert sorted(build.samples_ms) == pytest.approx(sorted(samples), rel=1e-12)
        assert build.mean_ms == pytest.approx(np.mean(samples), rel=1e-9)
        assert build.median_ms == pytest.approx(np.median(samples), rel=1e-9)
        assert build.min_ms == pytest.approx(min(samples), rel=1e-9)
    first, second = result.builds
    assert (first.kernel, "lce_delegate" in first.engine) == (None, False)
    assert second.kernel is not None
    assert second.engine.endswith(f"({second.kernel})")
    assert second.ratio is not None
    assert second.ratio.value == second.median_ms / first.median_ms


@pytest.mark.parametrize(
    ("names", "mean_ms", "median_ms"),
    [
        (["tf_2_18.txt"] * 5, 1.10612, 1.10612),  # its line "Inference (avg): 1106.12"
        (["tf_2_8_lce.txt"] * 5, 2.03408, 2.03408),
        # over all runs, 491 of 2034.08 us and 902 of 1106.12 us in a call; median of five calls
        (
            ["tf_2_8_lce.txt"] * 2 + ["tf_2_18.txt"] * 3,
            (2 * 491 * 2.03408 + 3 * 902 * 1.10612) / (2 * 491 + 3 * 902),
            1.10612,
        ),
    ],
)
def test_the_average_is_that_of_the_cpp_tools(
    names: list[str], mean_ms: float, median_ms: float
) -> None:
    model = ModelFile("0" * 64, 64652)
    tool = BenchmarkModel("benchmark_model")
    results = [tool.parse((LOGS / name).read_text(), LOGS / name, model) for name in names]
    build = build_of(
        Measured("b", Path("b.tflite"), model, results, None, None),
        "local",
        Ready(tool, ToolInfo(name="benchmark_model"), {}),
        ToolOptions(),
        None,
        0,
    )
    assert build.mean_ms == pytest.approx(mean_ms, rel=1e-12)
    assert build.median_ms == pytest.approx(median_ms, rel=1e-12)
    assert (build.sample, len(build.samples_ms)) == ("call", 5)
