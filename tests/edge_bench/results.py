"""A made-up benchmark result for tests of form and report; numbers are not measurements."""

from typing import Any

import numpy as np

from edge_bench.schema import BenchResult, parse_bench
from edge_bench.statistics import summarize

STATE = {
    "load_average": [0.5, 0.4, 0.3], "frequency_mhz": [2400.0], "temperature_c": None,
    "governor": "performance",
}  # fmt: skip

DEVICE = {
    "name": "local", "kind": "local", "system": "Linux 6", "machine": "aarch64", "os_bits": 64,
    "cpu_model": "Cortex-A72", "cores": 4, "cpu_features": ["asimd"], "memory_bytes": 4 * 10**9,
    "before": STATE, "after": STATE, "versions": {"python": "3.11"},
}  # fmt: skip


def build(name: str, median: float, size: int, **more: Any) -> dict[str, Any]:
    samples = list(np.random.default_rng(size).normal(median, median / 50, 40))
    summary = summarize(samples)
    return {
        "name": name, "path": f"{name}.tflite", "sha256": "ab" * 32, "size_bytes": size,
        "engine": "LiteRT 2.3.0 + XNNPACK", "threads": 1, "warmup_runs": 5,
        "samples_ms": samples, "median_ms": summary.median, "mad_ms": summary.mad,
        "p90_ms": summary.p90, "min_ms": summary.minimum, "peak_memory_bytes": 5_000_000, **more,
    }  # fmt: skip


def example(*names: str) -> BenchResult:
    names = names or ("float32", "int8", "w1a1")
    builds = [build(name, 1.0 + i, 1_000_000 // (i + 1)) for i, name in enumerate(names)]
    for other in builds[1:]:
        other["ratio"] = {"to": names[0], "value": 2.0, "low": 1.9, "high": 2.1}
    context = {
        "host": "board", "system": "Linux 6", "machine": "aarch64", "cpu_model": "Cortex-A72",
        "cores": 4, "governor": "performance", "before": STATE, "after": STATE,
        "versions": {"python": "3.11"}, "git_revision": None, "date": "2026-01-02T03:04:05Z",
        "command": ["irnet", "bench"], "seed": 0, "rounds": 10, "order": "random",
        "memory_method": "VmHWM", "timed": "one run",
    }  # fmt: skip
    return parse_bench(
        {"schema_id": "irnet.bench/2", "context": context, "devices": [DEVICE], "builds": builds},
        "example",
    )


def version_1() -> dict[str, Any]:
    """The same as files of version 1 have it."""
    value = example().model_dump(mode="json")
    del value["devices"]
    keys = set(build("a", 1.0, 1)) | {"ratio", "accuracy", "num_examples"}
    value["builds"] = [{k: v for k, v in b.items() if k in keys} for b in value["builds"]]
    for state in ("before", "after"):
        for key in ("governor", "throttling"):
            del value["context"][state][key]
    return {**value, "schema_id": "irnet.bench/1"}
