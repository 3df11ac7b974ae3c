"""The report: self-contained, inert, complete."""

import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from results import example, version_1

from edge_bench.headline import headline
from edge_bench.plots import accuracy_interval, accuracy_versus_size
from edge_bench.report import kilobytes, render_report, write_report
from edge_bench.schema import BenchResult, parse_bench
from edge_bench.tables import COLUMNS, csv_text, markdown, model_card
from irnet_keras.errors import UsageError

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>$x^{'\"--&"


class Tags(HTMLParser):
    """Collects start tags with attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report_asks_the_network_for_nothing() -> None:
    html = render_report(example().with_accuracy({"int8": {"accuracy": 0.5, "num_examples": 10}}))
    page = Tags(html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            if name in {"src", "srcset", "href", "xlink:href", "action", "data"}:
                assert (value or "").startswith("#"), (tag, name, value)
    assert not re.search(r"url\((?!#)", html)
    assert "@import" not in html
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_html_in_names_notes_and_verification_is_inert() -> None:
    result = example("float32", HOSTILE).with_accuracy(
        {HOSTILE: {"accuracy": 0.5, "num_examples": 10}}
    )
    html = render_report(result, title=HOSTILE, notes=[HOSTILE], verify={HOSTILE: {"a": HOSTILE}})
    page = Tags(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    # title twice, note, table row, latency ratio's reference not, conditions, verification twice
    assert page.text.count(HOSTILE) >= 6


def test_every_build_and_number_is_in_the_report() -> None:
    result = example().with_accuracy({"w1a1": {"accuracy": 0.8123, "num_examples": 10000}})
    verify = {"w1a1": {"passed": True, "values_compared": 12345, "oracle": None}}
    text = Tags(render_report(result, notes=["A note."], verify=verify)).text
    text = text.replace("\N{NO-BREAK SPACE}", " ")
    for build in result.builds:
        assert build.name in text
        assert f"{build.median_ms:.3f} ms" in text
        assert build.sha256 in text
    for expected in (
        "81.23 % ± 0.77", "(n = 10,000)", "2.00 (1.90 to 2.10)", "Cortex-A72", "A note.",
        "w1a1 / passed", "yes", "w1a1 / values compared", "12,345", "performance",
        "2026-01-02 03:04:05", "not measured",
    ):  # fmt: skip
        assert expected in text


def test_figures_follow_the_page_colours() -> None:
    html = render_report(example())
    assert html.count("<svg") == 2  # no accuracy, so no figure of it
    assert "#010203" not in html
    assert "currentColor" in html
    assert accuracy_versus_size(example().builds) is None


def test_one_file_in_two_runtimes_is_one_point_with_both_names() -> None:
    names = ("float32", "1-bit", "1-bit (LCE)")
    value = example(*names).model_dump(mode="json")
    value["builds"][2]["size_bytes"] = value["builds"][1]["size_bytes"]
    score = {"accuracy": 0.81, "num_examples": 1000}
    result = parse_bench(value, "x").with_accuracy(dict.fromkeys(names, score))
    figure = accuracy_versus_size(result.builds)
    assert figure is not None
    assert figure.count(">1-bit<") == figure.count(">1-bit (LCE)<") == 1
    assert figure.count(">float32<") == 1
    markers = len(re.findall(r'<use [^>]*style="[^"]*stroke: #', figure))
    other = accuracy_versus_size(result.builds[:2])
    assert other is not None
    assert len(re.findall(r'<use [^>]*style="[^"]*stroke: #', other)) == markers


def test_the_report_is_the_same_every_time() -> None:
    assert render_report(example()) == render_report(example())


def test_accuracy_interval_by_hand() -> None:
    build = example("a").with_accuracy({"a": {"accuracy": 0.9, "num_examples": 900}}).builds[0]
    assert accuracy_interval(build) == (90.0, pytest.approx(1.96))  # 1.96 * sqrt(.09 / 900)


def test_sizes_are_in_thousands_of_bytes() -> None:
    assert kilobytes(57_476) == "57.5 kB"
    assert kilobytes(1_099_136) == "1,099.1 kB"
    assert kilobytes(45_200_000) == "45.2 MB"


def test_unwritable_report_is_a_usage_error(tmp_path: Path) -> None:
    assert write_report(example(), tmp_path / "r.html").stat().st_size > 10_000
    with pytest.raises(UsageError, match="cannot write"):
        write_report(example(), tmp_path / "missing" / "r.html")


def profiled() -> BenchResult:
    """Scores, profiles and a warning, on two devices."""
    value = example().model_dump(mode="json")
    rows = [
        {"op": "CONV_2D", "name": "stem", "node": 0, "mean_ms": 0.6, "share": 0.6, "kind": "float"},
        {"op": "LceBconv2d", "name": "a", "node": 1, "mean_ms": 0.3, "share": 0.3, "kind": "1-bit"},
        *(
            {"op": "ADD", "name": f"b{i}", "node": i, "mean_ms": 0.01, "share": 0.01}
            for i in range(2, 20)
        ),
    ]
    value["builds"][2]["profile"] = rows
    value["devices"][0]["warnings"] = ["it was hot & busy"]
    value["devices"].append({**value["devices"][0], "name": "ssh://pi", "kind": "ssh"})
    value["builds"] += [{**b, "device": "ssh://pi", "sample": "call"} for b in value["builds"]]
    return parse_bench(value, "x").with_accuracy(
        {
            "float32": {"accuracy": 0.9, "num_examples": 1000},
            "w1a1": {"accuracy": 0.875, "num_examples": 1000},
        }
    )


def test_headline_by_hand() -> None:
    found = headline(profiled(), "local")
    assert found is not None
    # 1,000,000 over 333,333 bytes; a ratio of 2.0 is half as fast; 87.5 - 90 points
    assert found.parts == (
        ("3.0 x", "smaller"),
        ("2.0 x", "slower"),
        ("-2.50", "points of accuracy"),
    )
    assert found.sentence.startswith("w1a1 against float32: 3.0 x smaller, 2.0 x slower, -2.50")
    assert found.sentence.endswith("(speed: 95 % interval 0.48 to 0.53)")
    assert headline(example("one"), "local") is None


def test_each_device_has_its_table_figures_and_warnings() -> None:
    result = profiled()
    html = render_report(result)
    page = Tags(html)
    assert page.text.count("it was hot & busy") == 2
    assert [t for t in ("Results on local", "Results on ssh://pi") if t in page.text] == [
        "Results on local", "Results on ssh://pi",
    ]  # fmt: skip
    names = [a["aria-label"] or "" for tag, a in page.tags if tag == "svg"]
    assert [a["role"] for tag, a in page.tags if tag == "svg"] == ["img"] * 10
    assert all(names)
    assert [name.split(":")[0].split(";")[0] for name in names[:5]] == [
        "Accuracy over latency", "Accuracy over size", "Median latency",
        "Distribution of the samples of latency", "Time per operator of w1a1",
    ]  # fmt: skip
    assert "float32 90.0 %, w1a1 87.5 %" in names[0]
    assert "CONV_2D, 60%" in names[4]
    assert page.text.count("Where the time of w1a1 goes") == 2
    assert "60 %, 0.6 ms" in page.text
    assert "sum of 6 others" in page.text  # 20 operators, 14 of them shown
    assert "A sample is the mean of one call" not in page.text  # the first build is of runs


def test_another_network_is_shown_beside() -> None:
    reference = example("mobilenet").with_accuracy(
        {"mobilenet": {"accuracy": 0.7, "num_examples": 50}}
    )
    text = Tags(render_report(example(), references=reference.builds)).text
    assert "mobilenet" in text
    assert "another network" in text
    value = reference.model_dump(mode="json")
    value["devices"][0]["name"] = value["builds"][0]["device"] = "adb:1"
    with pytest.raises(UsageError, match="mobilenet ran on adb:1, the result has local"):
        render_report(example(), references=parse_bench(value, "x").builds)


def test_csv_has_a_row_per_build_and_no_formula() -> None:
    value = profiled().model_dump(mode="json")
    value["builds"][0]["name"] = "=HYPERLINK(1)"
    value["builds"][1]["ratio"] = value["builds"][2]["ratio"] = None
    rows = list(csv.DictReader(io.StringIO(csv_text(parse_bench(value, "x")))))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["device"], r["name"]) for r in rows][:2] == [
        ("local", "'=HYPERLINK(1)"), ("local", "int8"),
    ]  # fmt: skip
    assert len(rows) == 6
    assert (rows[0]["ratio"], rows[4]["ratio"], rows[4]["ratio_to"]) == ("", "2.0", "float32")
    assert float(rows[2]["median_ms"]) == value["builds"][2]["median_ms"]
    assert (rows[2]["accuracy"], rows[1]["accuracy"]) == ("0.875", "")
    assert rows[0]["samples"] == "40"


def test_markdown_and_model_card_say_the_same_numbers() -> None:
    result = profiled()
    table = markdown(result)
    assert "| w1a1 | 333.3 kB | " in table
    assert "| 0.50 (0.48 to 0.53) | 87.50 % of 1,000 |" in table
    assert table.count("| Build | Size |") == 2
    assert "Warning: it was hot \\& busy." in table
    card = model_card(result)
    assert card.startswith("## Measured on the edge\n")
    assert table.rstrip() in card
    assert f"- w1a1: `{result.builds[2].sha256}`" in card
    hostile = markdown(example("float32", HOSTILE))
    assert "<script>" not in hostile
    for line in hostile.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 7


def test_report_command_writes_all_forms(tmp_path: Path) -> None:
    results, other = tmp_path / "r.json", tmp_path / "mobilenet.json"
    results.write_text(json.dumps(version_1()))  # an old file
    other.write_text(example("mobilenet").model_dump_json())
    outputs = [tmp_path / name for name in ("r.html", "r.csv", "r.md", "card.md")]
    options = zip(("-o", "--csv", "--markdown", "--model-card"), outputs, strict=True)
    command = [sys.executable, "-m", "irnet_cli", "report", results, "--reference", other]
    answer = subprocess.run(
        [*command, *(word for pair in options for word in pair)], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [str(path) for path in outputs]
    assert "mobilenet" in outputs[0].read_text()
    assert outputs[1].read_text().startswith("device,name,size_bytes,")
    assert str(tmp_path) not in "".join(path.read_text() for path in outputs)
