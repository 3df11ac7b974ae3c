"""The result's form: round trip, version, and what is refused."""

import json
import math
from pathlib import Path

import pytest
from results import example, version_1

from edge_bench.schema import json_schema, parse_bench
from irnet_keras.errors import UsageError

ROW = {"op": "ADD", "name": "", "node": 0, "mean_ms": 1.0, "share": 1.0}
ROOT = Path(__file__).parents[2]


def test_json_round_trip_is_exact() -> None:
    result = example()
    assert parse_bench(json.loads(result.model_dump_json()), "x") == result


def test_json_schema_names_the_version_and_every_field() -> None:
    schema = json_schema()
    assert schema["properties"]["schema_id"]["const"] == "irnet.bench/2"
    assert schema["additionalProperties"] is False
    build = example().model_dump(mode="json")["builds"][0]
    assert set(schema["$defs"]["Build"]["properties"]) == set(build)


def test_the_published_schema_is_this_one() -> None:
    published = json.loads((ROOT / "docs" / "reference" / "results.schema.json").read_text())
    assert published == json_schema(), "python tools/write_results_schema.py"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(schema_id="irnet.bench/3"), "schema_id: Input should be"),
        (lambda v: v["builds"].clear(), "builds: List should have at least 1"),
        (lambda v: v["builds"][1].update(median_ms=-1), r"builds\.1\.median_ms: Input should"),
        (lambda v: v["builds"][1].update(sha256="no"), r"builds\.1\.sha256"),
        (lambda v: v["builds"][1]["samples_ms"].__delitem__(slice(20)), "at least 30 items"),
        (lambda v: v["builds"][0].update(accuracy=0.5), "accuracy and num_examples go together"),
        (lambda v: v["builds"][0].update(name="int8"), "names must be unique, got int8, int8"),
        (lambda v: v.update(extra=1), "extra: Extra inputs"),
        (lambda v: v["builds"][0].update(peak_memory_bytes=10**400), "peak_memory_bytes: Input"),
        (lambda v: v["builds"][0].update(size_bytes=2**63), r"builds\.0\.size_bytes"),
        (lambda v: v["devices"][0].update(memory_bytes=-1), r"devices\.0\.memory_bytes"),
        (lambda v: v["builds"][0].update(profile=[{**ROW, "mean_ms": -1}]), r"profile\.0\.mean_ms"),
        (lambda v: v["builds"][0].update(profile=[{**ROW, "share": math.nan}]), r"0\.share"),
        (lambda v: v["context"].update(date="2026-01-01T00:00:00"), r"context\.date"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_one_line(change, message: str) -> None:
    value = example().model_dump(mode="json")
    change(value)
    with pytest.raises(UsageError, match=message) as error:
        parse_bench(value, "file.json")
    assert str(error.value).startswith("file.json: not an irnet.bench/2 result: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [None, [], 3, "x", {}])
def test_other_json_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"not an irnet\.bench/2 result"):
        parse_bench(value, "file.json")


def test_a_file_of_version_1_is_read_as_this_version() -> None:
    old = version_1()
    assert "devices" not in old
    result = parse_bench(old, "old.json")
    assert result.schema_id == "irnet.bench/2"
    (device,) = result.devices
    assert (device.name, device.kind, device.cores) == ("local", "local", 4)
    assert device.before == example().devices[0].before
    assert {b.device for b in result.builds} == {"local"}
    assert [b.samples_ms for b in result.builds] == [b.samples_ms for b in example().builds]
    del old["context"]["cores"]
    with pytest.raises(UsageError, match=r"context\.cores: Field required"):
        parse_bench(old, "old.json")


def test_one_name_may_come_on_two_devices() -> None:
    value = example().model_dump(mode="json")
    value["devices"].append({**value["devices"][0], "name": "adb:1", "kind": "adb"})
    value["builds"] += [{**build, "device": "adb:1"} for build in value["builds"]]
    result = parse_bench(value, "x")
    assert [b.name for b in result.on("adb:1")] == ["float32", "int8", "w1a1"]
    value["builds"][0]["device"] = "ssh://nowhere"
    with pytest.raises(UsageError, match="ran on an unknown device ssh://nowhere"):
        parse_bench(value, "x")


def test_calls_of_a_tool_may_be_fewer_than_runs() -> None:
    value = example().model_dump(mode="json")
    value["builds"][0].update(sample="call", samples_ms=[1.0] * 5)
    assert parse_bench(value, "x").builds[0].sample == "call"
    value["builds"][0]["samples_ms"].pop()
    with pytest.raises(UsageError, match="at least 5 items, got 4"):
        parse_bench(value, "x")


def test_accuracies_join_by_name() -> None:
    result = example().with_accuracy({"int8": {"accuracy": 0.75, "num_examples": 1000}})
    assert [b.accuracy for b in result.builds] == [None, 0.75, None]
    assert result.builds[1].num_examples == 1000
    with pytest.raises(UsageError, match="unknown builds: int9"):
        example().with_accuracy({"int9": {"accuracy": 0.75, "num_examples": 1000}})
    with pytest.raises(UsageError, match="accuracy"):
        example().with_accuracy({"int8": {"accuracy": 75, "num_examples": 1000}})
