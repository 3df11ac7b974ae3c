"""A tool on this machine: our statistics are those of the tool's own numbers, on the same run."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge_bench.remote import Plan, bench_on
from edge_bench.remote_calls import Logs
from edge_bench.targets import parse_address
from edge_bench.tools import ToolOptions


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
