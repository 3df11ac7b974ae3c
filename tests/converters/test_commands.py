"""The commands as a user runs them: exit status, stdout, stderr, files."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from converters.lce import Conversion
from irnet_cli.app import run

MODEL = "resnet20-w1a1-cifar10"


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


class Irnet:
    """Runs ``irnet`` in this process, so that TensorFlow is imported once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *arguments: str | Path) -> Result:
        self._monkeypatch.setattr(sys, "argv", ["irnet", *map(str, arguments)])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            run()
        captured = self._capfd.readouterr()
        return Result(int(caught.value.code or 0), captured.out, captured.err)


@pytest.fixture
def irnet(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Irnet:
    return Irnet(monkeypatch, capfd)


def test_convert_then_verify(irnet: Irnet, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    converted = irnet("convert", MODEL, "--untrained", "-o", file, "--json", "-")
    assert converted.status == 0, converted.err
    summary = json.loads(converted.out)
    assert summary["bytes"] == file.stat().st_size
    assert len(summary["binary_layers"]) == 18
    compared = summary["postflight"]
    assert (compared["layers_checked"], compared["seed"]) == (80, 0)
    assert compared["images"] == {"real": 4, "random": 4}
    assert (compared["mismatches"], compared["not_compared"]) == ([], [])
    assert 0 < compared["worst"]["error"] < compared["worst"]["tolerance"]
    for stage in ("pre-flight", "LCE's converter", "passes and gate", "post-flight"):
        assert re.search(rf"^{stage}: \d+\.\d s$", converted.err, re.MULTILINE)
    assert [p.name for p in tmp_path.iterdir()] == ["model.tflite"]

    report_file = tmp_path / "report.json"
    verified = irnet("verify", MODEL, file, "--untrained", "--images", "20", "--json", report_file)
    assert verified.status == 0, verified.err
    assert verified.out.splitlines()[-1] == "passed"
    report = json.loads(report_file.read_text())
    assert report["passed"] is True
    assert report["num_images"] == 20
    assert "lce_delegate" in report["runtime"]
    assert f"ran in {report['runtime']}" in verified.out.splitlines()
    assert report["oracle"]["engines"][0].startswith("LCE ")
    values = f"{report['oracle']['num_values']:,} values, all bits equal"
    assert f"54 operators on 4 images, their ends on 20; {values}" in verified.out

    options = ("--untrained", "--images", "4", "--runtime", "lce")
    in_lce = irnet("verify", MODEL, file, *options)
    assert in_lce.status == 0, in_lce.err
    assert "ran in LCE " in in_lce.out
    assert "compared with" not in in_lce.out

    checked = irnet("verify-file", file)
    assert checked.status == 0
    assert "accepted, 61 operators" in checked.out

    cut = tmp_path / "cut.tflite"
    cut.write_bytes(file.read_bytes()[:30_000])
    refused = irnet("verify", MODEL, cut, "--untrained")
    assert refused.status == 2
    assert "damaged .tflite file" in refused.err


def test_a_file_of_another_model_fails_with_status_1(irnet: Irnet, tmp_path: Path) -> None:
    file = tmp_path / "float.tflite"
    built = irnet(
        "baseline", "resnet20-float32-cifar10", "--untrained", "--format", "float32", "-o", file
    )
    assert built.status == 0, built.err
    assert "float32" in built.out
    result = irnet("verify", MODEL, file, "--untrained", "--images", "20")
    assert result.status == 1
    assert "FAILED:" in result.out
    assert "does not match" in result.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", MODEL, "--untrained", "-o", "missing/x.tflite"], "does not exist"),
        (["convert", MODEL, "--untrained", "-o", "."], "it is a folder"),
        (["convert", "no-such-model", "-o", "x.tflite"], "neither a file nor a registry name"),
        (["baseline", MODEL, "--untrained", "--format", "int4", "-o", "x.tflite"], "got 'int4'"),
        (["verify", MODEL, "missing.tflite", "--untrained"], "No such file"),
        (["verify", MODEL, "short.tflite", "--untrained"], "no TFL3 identifier"),
        (["verify", MODEL, "short.tflite", "--data", "imagenet"], "got 'imagenet'"),
        (["verify", MODEL, "short.tflite", "--runtime", "gpu"], "auto, delegate, lce, got 'gpu'"),
        (["verify-file", "short.tflite"], "no TFL3 identifier"),
        (["verify-file", "."], "directory"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    irnet: Irnet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short.tflite").write_bytes(b"12345678")
    result = irnet(*arguments)
    assert result.status == 2
    lines = [line for line in result.err.splitlines() if line.startswith("irnet: error:")]
    assert len(lines) == 1
    assert message in lines[0]
    assert result.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["short.tflite"]


def test_more_images_than_there_are_is_a_usage_error(irnet: Irnet, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    irnet("baseline", "resnet20-float32-cifar10", "--untrained", "--format", "float32", "-o", file)
    result = irnet("verify", "resnet20-float32-cifar10", file, "--untrained", "--images", "100000")
    assert result.status == 2
    assert "--images 100000: sample has 1000 test images" in result.err


def test_convert_takes_a_target_and_leaves_out_passes(irnet: Irnet, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    options = ("--untrained", "-o", file, "--target", "delegate", "--no-pass", "share-signs")
    converted = irnet("convert", MODEL, *options, "--no-pass", "drop-clips", "--json", "-")
    assert converted.status == 0, converted.err
    summary = json.loads(converted.out)
    assert summary["target"] == "delegate"
    assert summary["leftovers"]["mode"] == "float32"
    assert summary["leftovers"]["accuracy_after"] is None
    assert [p["name"] for p in summary["passes"]] == [
        "pack-outputs", "pack-pools", "shrink-weights", "fold-batch-norms", "remove-dead",
    ]  # fmt: skip
    refusals = summary["passes"][0]["refusals"]
    shortcuts = {f"{op} reads its value, too" for op in ("ADD", "STRIDED_SLICE")}
    assert {r["reason"] for r in refusals} == shortcuts
    assert "pack-outputs: 0 rewritten, left as it was: ADD reads its value" in converted.err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--target", "phone"), "target must be one of lce, delegate, got 'phone'"),
        (("--no-pass", "nothing"), "--no-pass must be one of drop-clips, share-signs, "),
    ],
)
def test_unknown_targets_and_passes_are_usage_errors(
    irnet: Irnet, tmp_path: Path, option: tuple[str, str], message: str
) -> None:
    result = irnet("convert", MODEL, "--untrained", "-o", tmp_path / "model.tflite", *option)
    assert result.status == 2
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


def test_explain_a_file_and_a_model(irnet: Irnet, tmp_path: Path, resnet_file: Conversion) -> None:
    file, overlay = tmp_path / "with\x1b[31m.tflite", tmp_path / "overlay.json"
    file.write_bytes(resnet_file.data)
    explained = irnet("explain", file, "--node-data", overlay, "--overlay", "macs")
    assert explained.status == 0, explained.err
    lines = explained.out.splitlines()
    assert "operators: 36 1-bit, 0 int8, 25 float, 0 other" in lines
    assert "multiply-accumulates: 40,108,032 1-bit, 0 int8, 443,008 float" in lines
    assert "needs: LCE's default kernels or the delegate" in lines
    assert "  CONV_2D 0: reads the network's input; weights are not signs" in lines
    assert len(json.loads(overlay.read_text())["main"]["results"]) == 61

    of_model = irnet("explain", MODEL, "--untrained", "--json", "-")
    assert of_model.status == 0, of_model.err
    report = json.loads(of_model.out)
    assert report["schema_id"] == "irnet/explain"
    assert report["totals"]["macs_1bit"] == 40_108_032
    assert len(report["ops"]) == report["totals"]["ops"]


def test_convert_reports_findings_and_refuses(irnet: Irnet, tmp_path: Path) -> None:
    model = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            tf.keras.layers.ZeroPadding2D(1),
            tf.keras.layers.Conv2D(4, 3, strides=2, name="stem"),
        ]
    )
    model.save(tmp_path / "saved")
    file = tmp_path / "out.tflite"
    refused = irnet("convert", tmp_path / "saved", "-o", file)
    assert refused.status == 1
    assert "irnet: error: not converted: stem: explicit padding of (1, 1)" in refused.err
    assert not file.exists()
    forced = irnet("convert", tmp_path / "saved", "-o", file, "--no-strict", "--json", "-")
    assert forced.status == 0, forced.err
    (finding,) = json.loads(forced.out)["findings"]
    assert (finding["layer"], finding["check"], finding["severity"]) == (
        "stem",
        "shifted-window",
        "wrong",
    )
    assert set(finding) == {"layer", "check", "severity", "reason", "cure"}
    assert "warning: stem: " in forced.err


def test_leftovers_that_cost_accuracy_leave_no_file(irnet: Irnet, tmp_path: Path) -> None:
    """Ranges from images that are all alike fit no other image."""
    data, file = tmp_path / "data.npz", tmp_path / "model.tflite"
    np.savez(data, images=np.full((8, 32, 32, 3), 0.01, np.float32))
    options = ("--leftovers", "int8", "--representative", data)
    refused = irnet("convert", MODEL, "-o", file, *options, "--json", "-")
    assert refused.status == 1
    assert "error: --leftovers int8: accuracy falls from 83." in refused.err
    assert refused.out == ""
    assert not file.exists()
