"""The whole way, as a user runs it: offline, from shipped weights to the report."""

import json
import os
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from irnet_keras.files import sha256_file
from irnet_keras.models import MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from readme_command import readme_command


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("quickstart") / "out"
    install, quickstart = readme_command("main").split(" && ")
    assert install == "pip install -r requirements.txt"  # done by whoever runs these tests
    program, *words = shlex.split(quickstart)
    assert program == "irnet"
    out = subprocess.run(
        [sys.executable, "-m", "irnet_cli", *words, "--out", str(folder)],
        capture_output=True,
        text=True,
        # no network: every proxy leads nowhere
        env={**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
    )
    assert out.returncode == 0, out.stderr
    for name in ("1-bit", "float32", "int8", str(folder / "results.json")[-12:]):
        assert name in out.stdout
    return folder, json.loads((folder / "results.json").read_text())


@pytest.mark.slow
def test_results_hold_verified_scored_and_timed_builds(result):
    results = result[1]
    assert results["schema_id"] == "irnet.quickstart/1"
    builds = {build["name"]: build for build in results["bench"]["builds"]}
    assert list(builds) == ["float32", "int8", "1-bit", "1-bit (LCE)"]
    assert list(results["verify"]) == ["float32", "int8", "1-bit"]
    assert all(part["passed"] is True for part in results["verify"].values())
    for name, build in builds.items():
        assert results["accuracy"][name]["num_examples"] == 1000
        assert build["accuracy"] == results["accuracy"][name]["accuracy"]
        assert len(build["samples_ms"]) >= 30
        assert build["sha256"] == sha256_file(result[0] / build["path"])
        assert build["peak_memory_bytes"] > 0
    assert results["verify"]["1-bit"]["binary_layers"] == 18
    litert, ours = f"LiteRT {version('ai-edge-litert')}", f"lce_delegate {version('lce-delegate')}"
    assert builds["int8"]["engine"] == f"{litert} + XNNPACK"
    assert builds["1-bit"]["engine"].startswith(f"{litert} + {ours} (")
    lce = f"LCE {version('larq-compute-engine')}, indirect BGEMM + XNNPACK"
    assert builds["1-bit (LCE)"]["engine"] == lce
    assert builds["1-bit (LCE)"]["sha256"] == builds["1-bit"]["sha256"]
    oracle = results["verify"]["1-bit"]["oracle"]
    assert (oracle["engine"], oracle["operators"]) == (lce, 54)
    assert oracle["values_compared"] > 10_000_000
    assert (oracle["values_differing"], oracle["not_compared"]) == (0, [])
    sizes = {name: build["size_bytes"] for name, build in builds.items()}
    assert sizes["1-bit"] < sizes["int8"] < sizes["float32"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "network"),
    [("1-bit", "resnet20-w1a1-cifar10"), ("float32", "resnet20-float32-cifar10")],
)
def test_shipped_weights_score_what_the_registry_says(result, build, network):
    stated = MODELS[network].test_accuracy
    deviation = (stated * (1 - stated) / 1000) ** 0.5  # of a sample of 1,000
    assert abs(result[1]["accuracy"][build]["accuracy"] - stated) <= 3 * deviation


@pytest.mark.slow
def test_the_delegate_scores_what_lce_scores(result):
    accuracy = result[1]["accuracy"]
    assert accuracy["1-bit"] == accuracy["1-bit (LCE)"]


@pytest.mark.slow
def test_int8_is_close_to_float32(result):
    accuracy = result[1]["accuracy"]
    assert abs(accuracy["int8"]["accuracy"] - accuracy["float32"]["accuracy"]) <= 0.02


@pytest.mark.slow
def test_report_is_one_file_without_outside_references(result):
    text = (result[0] / "report.html").read_text()
    assert "1-bit" in text
    for reference in ("<script src", "<link", "url(http", 'src="http'):
        assert reference not in text
