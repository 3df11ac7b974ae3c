"""What the Android demo keeps as files is what Python makes today."""

import hashlib
import importlib.util
import json
from pathlib import Path

DEMO = Path(__file__).parents[1] / "android_demo"


def _make_golden():
    spec = importlib.util.spec_from_file_location("make_golden", DEMO / "tools" / "make_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_java_is_tested_on_the_vectors_of_today():
    golden = _make_golden()
    assert json.loads(golden.VECTORS.read_text(encoding="utf-8")) == golden.vectors()


def test_assets_outputs_and_manifest_belong_together():
    from converters.android_assets import DATASETS, count_macs, preprocessing

    golden = _make_golden()
    manifest = json.loads((golden.ASSETS / "models.json").read_text(encoding="utf-8"))
    outputs = json.loads(golden.OUTPUTS.read_text(encoding="utf-8"))
    assert [row["build"] for row in manifest["models"]] == ["1-bit", "float32", "int8"]
    for row in manifest["models"]:
        content = (golden.ASSETS / row["file"]).read_bytes()
        assert (
            hashlib.sha256(content).hexdigest() == row["sha256"] == outputs[row["name"]]["sha256"]
        )
        assert row["macs"] == count_macs(content)
    one_bit, float32, int8 = (row["macs"] for row in manifest["models"])
    assert one_bit["1-bit"] + one_bit["float"] == float32["float"] == int8["int8"] + int8["float"]
    (dataset,) = manifest["datasets"]
    assert tuple(dataset["labels"]) == DATASETS["cifar10"]
    assert dataset["preprocessing"] == preprocessing()
